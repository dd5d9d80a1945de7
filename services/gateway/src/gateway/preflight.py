"""The platforms' rules applied to a request, with errors that point into the client's own body. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from msgspec.structs import replace

from contracts.accounts import Account
from contracts.content import Content, Media
from contracts.media import MediaAsset
from contracts.posts import PostKind
from gateway.problems import FieldError, ProblemError, invalid_content
from gateway.resolve import Places, Wish
from platforms import fitting
from platforms.checking import AccountFacts, Violation, check

_WEB_URL = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)
_PART = re.compile(r"/parts/(?P<index>\d+)(?P<rest>/.*)?")
_MEDIA = "/media"
NO_UPLOADS: Mapping[str, MediaAsset] = MappingProxyType({})
_OF_MEDIA = (
    *("media.type", "media.mixed", "media.count", "media.format", "media.size", "media.ratio", "media.resolution"),
    *("media.duration", "media.codec", "media.frame_rate", "media.aspect", "short.duration", "short.aspect"),
)
"""Rules, without their platform, that speak of what media there are and not of how they are described."""


def violations(
    parts: Sequence[Content],
    kind: PostKind,
    wishes: Iterable[tuple[Wish, Account | None]],
    uploads: Mapping[str, MediaAsset] = NO_UPLOADS,
) -> list[FieldError]:
    """What the platforms have against it, in the order of the wishes. An account may still be open.

    `uploads` are the tenant's, at least those that are named.
    """
    found: dict[tuple[str, str | None, str], FieldError] = {}
    for wish, account in wishes:
        own = parts if wish.content is None else (wish.content,)
        for error in (*_addresses(own, wish.places), *_named_uploads(own, wish.places, uploads)):
            found.setdefault((error.rule, error.pointer, ""), error)
        facts = None if account is None else _facts(account)
        broken = check(own, kind=kind, platform=wish.platform, options=wish.options, account=facts, title=wish.title)
        for violation in broken:
            error = _error(violation, wish.places)
            # Two accounts on one platform may share one mistake.
            found.setdefault((error.rule, error.pointer, wish.platform), error)
        for error in _unfit_uploads(own, wish, facts, uploads):
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
            if (item.url is None) == (item.media_id is None):
                yield FieldError(
                    pointer=f"{media}/{position}",
                    rule="media.source",
                    message="Media is named either by its url or by its media_id.",
                    remediation="Give the url of a file, or the media_id of an upload.",
                    severity="invalid",
                )
            elif item.url is not None and not _WEB_URL.fullmatch(item.url):
                yield _not_web(f"{media}/{position}/url", item.url)
        if part.link is not None and not _WEB_URL.fullmatch(part.link.url):
            yield _not_web(f"{content}/link/url", part.link.url)


def _named_uploads(parts: Sequence[Content], places: Places, uploads: Mapping[str, MediaAsset]) -> Iterator[FieldError]:
    """Whether they are there, and are what they are called."""
    for pointer, item in _uploads_in(parts, places):
        asset = uploads.get(item.media_id or "")
        if asset is None:
            yield FieldError(
                pointer=f"{pointer}/media_id",
                rule="media.unknown",
                message=f"There is no media {item.media_id}.",
                actual=item.media_id,
                remediation="Name an upload that GET /media lists.",
                severity="invalid",
            )
        elif asset.status != "ready":
            rejected = asset.status == "rejected"
            yield FieldError(
                pointer=f"{pointer}/media_id",
                rule=f"media.{asset.status}",
                message=f"{item.media_id} is {asset.status}.",
                actual=asset.status,
                remediation="Use another file." if rejected else "Wait until its status is ready.",
                severity="invalid" if rejected else "incomplete",
            )
        elif asset.type != item.type and not (asset.type == "gif" and item.type == "image"):
            yield FieldError(
                pointer=f"{pointer}/type",
                rule="media.kind",
                message=f"{item.media_id} is no {item.type}.",
                limit=asset.type,
                actual=item.type,
                remediation=f"Call it {asset.type}.",
                severity="invalid",
            )


def _unfit_uploads(
    parts: Sequence[Content], wish: Wish, account: AccountFacts | None, uploads: Mapping[str, MediaAsset]
) -> Iterator[FieldError]:
    """What the platform has against a file of which no variant would do either."""
    for pointer, item in _uploads_in(parts, wish.places):
        asset = uploads.get(item.media_id or "")
        if asset is None or asset.status != "ready" or asset.original is None:
            continue
        if fitting.choose(asset, wish.platform, wish.options, account) is not None:
            continue
        facts = asset.original.facts
        kind = fitting.post_type_of(wish.platform, wish.options, facts)
        fit = fitting.fit(facts, wish.platform, kind, account)
        advice = None if fit.suggestion is None else f"{fit.suggestion} POST /media/{{media_id}}/variants does it."
        for violation in fitting.unfit(facts, wish.platform, wish.options, pointer, account):
            yield replace(
                _error(violation, wish.places),
                pointer=pointer,
                remediation=advice or violation.remediation,
                severity="invalid" if advice is None else "incomplete",
            )


def _uploads_in(parts: Sequence[Content], places: Places) -> Iterator[tuple[str, Media]]:
    """With the pointer to where each is named."""
    for index, part in enumerate(parts):
        _, media = places.parts[index]
        for position, item in enumerate(part.media):
            if item.media_id is not None and item.url is None:
                yield f"{media}/{position}", item


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
    return AccountFacts(
        username=account.username,
        account_type=account.account_type,
        permissions=account.permissions,
        login=account.login,
    )


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
