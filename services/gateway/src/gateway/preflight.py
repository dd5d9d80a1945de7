"""The platforms' rules applied to a request, with errors that point into the client's own body. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence

from contracts.accounts import Account
from contracts.content import Content
from contracts.posts import PostKind
from gateway.problems import FieldError, ProblemError, invalid_content
from gateway.resolve import Places, Wish
from platforms.checking import AccountFacts, Violation, check

_WEB_URL = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)
_PART = re.compile(r"/parts/(?P<index>\d+)(?P<rest>/.*)?")
_MEDIA = "/media"
_OF_MEDIA = ("media.type", "media.mixed", "media.count")
"""Rules, without their platform, that speak of what media there are and not of how they are described."""


def violations(
    parts: Sequence[Content], kind: PostKind, wishes: Iterable[tuple[Wish, Account | None]]
) -> list[FieldError]:
    """What the platforms have against it, in the order of the wishes. An account may still be open."""
    found: dict[tuple[str, str | None, str], FieldError] = {}
    for wish, account in wishes:
        own = parts if wish.content is None else (wish.content,)
        for error in _addresses(own, wish.places):
            found.setdefault((error.rule, error.pointer, ""), error)
        facts = None if account is None else _facts(account)
        for violation in check(own, kind=kind, platform=wish.platform, options=wish.options, account=facts):
            error = _error(violation, wish.places)
            # Two accounts on one platform may share one mistake.
            found.setdefault((error.rule, error.pointer, wish.platform), error)
    return list(found.values())


def refuse(found: Sequence[FieldError], *, draft: bool) -> None:
    """Raises ProblemError when something is wrong: in a draft, only what never becomes right by adding to it."""
    errors = [error for error in found if error.severity == "invalid" or not draft]
    if not errors:
        return
    problem = invalid_content(*errors)
    if all(error.rule.partition(".")[2] in _OF_MEDIA for error in errors):
        raise ProblemError("media_unsupported", problem.detail, errors=errors, platform=errors[0].platform)
    raise problem


def _addresses(parts: Sequence[Content], places: Places) -> Iterator[FieldError]:
    for index, part in enumerate(parts):
        content, media = places.parts[index]
        for position, item in enumerate(part.media):
            if item.url is None:
                yield FieldError(
                    pointer=f"{media}/{position}",
                    rule="media.url",
                    message="Media must be named by its url; this deployment takes no uploads.",
                    remediation="Put the file where it can be fetched from, and give its url.",
                    severity="invalid",
                )
            elif not _WEB_URL.fullmatch(item.url):
                yield _not_web(f"{media}/{position}/url", item.url)
        if part.link is not None and not _WEB_URL.fullmatch(part.link.url):
            yield _not_web(f"{content}/link/url", part.link.url)


def _not_web(pointer: str, url: str) -> FieldError:
    return FieldError(
        pointer=pointer,
        rule="url.web",
        message="Not the address of something on the web.",
        actual=url[:200],
        remediation="Give an absolute URL that begins with https:// or http://.",
        severity="invalid",
    )


def _facts(account: Account) -> AccountFacts:
    return AccountFacts(username=account.username, account_type=account.account_type, permissions=account.permissions)


def _error(violation: Violation, places: Places) -> FieldError:
    return FieldError(
        rule=violation.rule,
        message=violation.message,
        pointer=_pointer(violation.pointer, places),
        limit=violation.limit,
        actual=violation.actual,
        remediation=violation.remediation,
        platform=violation.platform,
        severity=violation.severity,
    )


def _pointer(pointer: str, places: Places) -> str:
    if (part := _PART.fullmatch(pointer)) is not None and int(part["index"]) < len(places.parts):
        content, media = places.parts[int(part["index"])]
        rest = part["rest"] or ""
        return media + rest.removeprefix(_MEDIA) if rest.startswith(_MEDIA) else content + rest
    if pointer == "/options" or pointer.startswith("/options/"):
        return places.options + pointer.removeprefix("/options")
    return places.target
