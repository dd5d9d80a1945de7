"""Media that a post names by URL: the media service makes an upload of each, and that is what is published. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from contracts.accounts import Account
from contracts.content import Content, Failure, Media
from contracts.media import MediaAsset, Source, UploadMedia, import_id
from contracts.publishing import PublishRequested
from platforms import fitting
from platforms.checking import AccountFacts
from publisher.domain.answers import Postponed, Refused, Retry
from publisher.domain.publication import Import, Publication, current

ACTOR = "publisher"
"""Who fetches anew what was no good when the post was accepted."""
SHORTEST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=1)


class Survey(Struct, frozen=True, kw_only=True):
    """How far all that has come which a target still needs."""

    entry: Publication
    """The journal, with what is to be fetched anew."""
    setback: Refused | Retry | None = None
    """Something is no good: ends the attempt."""
    absent: tuple[UploadMedia, ...] = ()
    """What the media service has not heard of: the commands that tell it."""
    awaited: tuple[datetime, ...] = ()
    """Of what it is at, when it has begun."""

    @property
    def is_complete(self) -> bool:
        return self.setback is None and not self.absent and not self.awaited


def imported(request: PublishRequested, entry: Publication) -> PublishRequested:
    """As if all that it names by URL had been uploaded."""
    return replace(request, parts=tuple(_imported(part, entry) for part in request.parts))


def _imported(part: Content, entry: Publication) -> Content:
    media = tuple(
        replace(item, url=None, media_id=media_id(entry, item.url))
        if item.url is not None and _is_imported(item)
        else item
        for item in part.media
    )
    return replace(part, media=media)


def _is_imported(item: Media) -> bool:
    """Documents are none of the media service's: they are sent on as they are."""
    return item.media_id is None and item.type != "document"


def wanted(entry: Publication, request: PublishRequested) -> dict[str, Media]:
    """What the parts name by URL that are still to be sent. Nothing once the fate of a part is in doubt."""
    part = current(entry)
    if entry.finished is not None or request.attempt < entry.attempt or part is None:
        return {}
    if entry.parts[part].step not in ("preparing", "armed"):
        return {}
    found: dict[str, Media] = {}
    for content in request.parts[part:]:
        for item in content.media:
            if item.url is not None and _is_imported(item):
                found.setdefault(item.url, item)
    return found


def media_id(entry: Publication, url: str) -> str:
    return import_id(entry.post_id, url, _number(entry, url))


def _number(entry: Publication, url: str) -> int:
    return next((each.number for each in entry.imports if each.url == url), 0)


def _anew(entry: Publication, url: str) -> Publication:
    """To be fetched once more, as another upload."""
    others = tuple(each for each in entry.imports if each.url != url)
    return replace(entry, imports=(*others, Import(url=url, number=_number(entry, url) + 1)))


def survey(
    entry: Publication,
    request: PublishRequested,
    assets: Mapping[str, MediaAsset],
    *,
    account: AccountFacts | None,
    now: datetime,
) -> Survey:
    """`assets` are the uploads of `media_id`, as far as there are any."""
    absent: list[UploadMedia] = []
    awaited: list[datetime] = []
    for url, item in wanted(entry, request).items():
        asset = assets.get(media_id(entry, url))
        if asset is not None and asset.deleted_at is not None:
            # Only while the post was not on its way: its files may be gone by now.
            entry, asset = _anew(entry, url), None
        if asset is not None and asset.failure is not None:
            is_first = _number(entry, url) == 0
            entry = _anew(entry, url)
            # What was not to be had when the post was accepted may be there now that it is due.
            if not (is_first and asset.updated_at < request.due_at):
                return Survey(entry=entry, setback=_setback(asset.failure))
            asset = None
        if asset is None:
            absent.append(_ask(entry, item, url, now))
        elif asset.status == "processing":
            awaited.append(asset.created_at)
        elif (failure := _unfit(asset, item, request, account)) is not None:
            return Survey(entry=entry, setback=Refused(failure))
    return Survey(entry=entry, absent=tuple(absent), awaited=tuple(awaited))


def _setback(failure: Failure) -> Refused | Retry:
    return Retry("media_unavailable", failure) if failure.retryable else Refused(failure)


def _ask(entry: Publication, item: Media, url: str, now: datetime) -> UploadMedia:
    first = import_id(entry.post_id, url)
    return UploadMedia(
        media_id=media_id(entry, url),
        tenant_id=entry.tenant_id,
        actor=ACTOR,
        issued_at=now,
        source=Source(url=url),
        alt_text=item.alt_text,
        instead_of=None if media_id(entry, url) == first else first,
    )


def _unfit(asset: MediaAsset, item: Media, request: PublishRequested, account: AccountFacts | None) -> Failure | None:
    """The same that is held against an upload when a post that shows it is created."""
    if asset.type != item.type and not (asset.type == "gif" and item.type == "image"):
        return Failure(
            code="media_unsupported",
            rule="media.kind",
            message=f"The file behind the media URL is no {item.type}.",
            remediation=f"Call it {asset.type}.",
        )
    if asset.original is None or fitting.choose(asset, request.platform, request.options, account) is not None:
        return None
    facts = asset.original.facts
    broken = fitting.unfit(facts, request.platform, request.options, "", account)[0]
    kind = fitting.post_type_of(request.platform, request.options, facts)
    suggestion = fitting.fit(facts, request.platform, kind, account).suggestion
    advice = broken.remediation
    if suggestion is not None:
        advice = f"{suggestion} POST /media/{asset.media_id}/variants does it; then publish the post again."
    return Failure(code="media_unsupported", rule=broken.rule, message=broken.message, remediation=advice)


def postponed(found: Survey, now: datetime) -> Postponed:
    """The longer it has taken, the later it is asked for."""
    waited = now - min(found.awaited, default=now)
    failure = Failure(code="media_processing", message="The media is still being fetched.", retryable=True)
    return Postponed(now + min(max(waited / 2, SHORTEST_PAUSE), LONGEST_PAUSE), failure)


def facts_of(account: Account) -> AccountFacts:
    """What the platforms' rules ask of an account."""
    return AccountFacts(
        username=account.username,
        account_type=account.account_type,
        permissions=account.permissions,
        login=account.login,
    )
