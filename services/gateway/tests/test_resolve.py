"""Which account is meant."""

from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.accounts import Account
from gateway.problems import ProblemError
from gateway.resolve import Places, Wish, choose, connected, distinct, target

PLACES = Places(target="/platforms/0", account="/platforms/0/account_id", options="/o", parts=(("/content", "/media"),))


def account(account_id: str, platform: Any = "twitter", **more: Any) -> Account:
    return Account(
        account_id=account_id,
        tenant_id="t",
        platform=platform,
        platform_user_id=account_id,
        username=f"name of {account_id}",
        display_name=account_id,
        account_type="personal",
        connected_at=datetime(2026, 1, 1, tzinfo=UTC),
        **more,
    )


def wish(account_id: str | None = None, platform: Any = "twitter") -> Wish:
    return Wish(platform=platform, account_id=account_id, options={}, content=None, title=None, places=PLACES)


def code_of(wished: Wish, accounts: list[Account]) -> str:
    with pytest.raises(ProblemError) as raised:
        connected(wished, choose(wished, accounts))
    assert raised.value.errors[0].pointer == PLACES.account
    return raised.value.code


@pytest.mark.parametrize(
    ("accounts", "expected"),
    [
        ([account("a")], "a"),
        ([account("a"), account("b", is_default=True)], "b"),
        ([account("a"), account("b", status="disconnected")], "a"),
        ([account("a"), account("b", is_default=True, status="disconnected")], "a"),
        ([account("l", "linkedin"), account("a")], "a"),
    ],
)
def test_the_default_or_the_only_one_is_chosen(accounts: list[Account], expected: str) -> None:
    assert choose(wish(), accounts).account_id == expected


def test_a_named_one_is_taken_even_against_the_default() -> None:
    assert choose(wish("a"), [account("a"), account("b", is_default=True)]).account_id == "a"


def test_what_cannot_be_chosen_is_said_to_be_so() -> None:
    assert code_of(wish(), []) == "account_required"
    assert code_of(wish(), [account("l", "linkedin")]) == "account_required"
    assert code_of(wish(), [account("a"), account("b")]) == "account_ambiguous"
    assert code_of(wish(), [account("a", is_default=True), account("b", is_default=True)]) == "account_ambiguous"
    assert code_of(wish(), [account("a", status="disconnected")]) == "account_disconnected"
    assert code_of(wish("x"), [account("a")]) == "account_not_found"
    assert code_of(wish("l"), [account("l", "linkedin")]) == "invalid_content"
    assert code_of(wish("a"), [account("a", status="disconnected")]) == "account_disconnected"


def test_an_account_is_taken_once() -> None:
    one = target(wish(), account("a", followers=7))
    assert (one.username, one.estimated_reach) == ("name of a", 7)
    distinct([wish(), wish()], [one, target(wish(), account("b"))])
    with pytest.raises(ProblemError, match="named twice"):
        distinct([wish(), wish("a")], [one, one])
