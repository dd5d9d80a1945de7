"""The page on which a person allows an app to act for them, shared by every platform."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Literal
from urllib.parse import urlencode

from sandbox.accounts import Account
from sandbox.web import RefusedError, Request, Response, as_html

_CHOICE = "sandbox_account"
_DENY = "deny"


def chosen_account(
    request: Request, platform: str, accounts: Sequence[Account], auto_approve: bool
) -> Account | Literal["denied"]:
    """Who consents to this authorization request.

    The query parameter ``sandbox_account`` stands for the person's click: an account's id, or ``deny``. With
    ``auto_approve`` the newest account consents without one.

    Raises:
        RefusedError: with the page, while nobody has chosen yet.
    """
    choice = request.query.get(_CHOICE)
    if choice == _DENY:
        return "denied"
    if choice is None and auto_approve and accounts:
        return accounts[-1]
    for account in accounts:
        if account.id == choice:
            return account
    raise RefusedError(_page(request, platform, accounts))


def error_page(detail: str) -> Response:
    """What a person sees when the authorization request itself is wrong; the browser is not sent back."""
    return as_html(400, f"<!DOCTYPE html>\n<title>Something went wrong</title>\n<p>{escape(detail)}</p>\n")


def redirect(redirect_uri: str, parameters: dict[str, str]) -> Response:
    separator = "&" if "?" in redirect_uri else "?"
    return Response(302, headers={"location": f"{redirect_uri}{separator}{urlencode(parameters)}"})


def _page(request: Request, platform: str, accounts: Sequence[Account]) -> Response:
    client = escape(request.query.get("client_id", ""))
    scopes = "".join(f"<li>{escape(scope)}</li>" for scope in request.query.get("scope", "").split())
    people = "".join(
        f'<li><a href="{_link(request, account.id)}">Allow as {escape(account.display_name)}'
        f" (@{escape(account.username)})</a></li>"
        for account in accounts
    )
    return as_html(
        200,
        f"<!DOCTYPE html>\n<html lang=en><title>{escape(platform)} sandbox</title>\n"
        f"<h1>Allow {client}?</h1>\n<p>It asks for</p><ul>{scopes}</ul>\n"
        f"<ul>{people or '<li>No account yet: create one with POST /_sandbox/accounts</li>'}</ul>\n"
        f'<p><a href="{_link(request, _DENY)}">Cancel</a></p></html>\n',
    )


def _link(request: Request, choice: str) -> str:
    return escape("?" + urlencode({**request.query, _CHOICE: choice}))
