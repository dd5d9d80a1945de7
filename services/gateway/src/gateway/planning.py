"""From what a client asked for to the targets of a command. Pure."""

from collections.abc import Mapping, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from contracts.accounts import Account
from contracts.content import Content, Options, Platform, TargetSpec
from contracts.media import MediaAsset
from contracts.posts import Post, PostKind
from gateway import preflight, resolve
from gateway.problems import FieldError, ProblemError
from gateway.requests import CreateBody, EditBody, PublishBody, ThreadBody, by_name
from gateway.resolve import Places, Wish


def wishes_of_publish(body: PublishBody) -> list[Wish]:
    return [
        Wish(
            platform=target.platform,
            account_id=target.account_id,
            options=target.options,
            content=None if target.content is None else target.content.content(),
            title=body.title,
            places=Places(
                target=f"/platforms/{index}",
                account=f"/platforms/{index}/account_id",
                options=f"/platforms/{index}/options",
                parts=(_content_at("/content" if target.content is None else f"/platforms/{index}/content"),),
            ),
        )
        for index, target in enumerate(body.platforms)
    ]


def wishes_of_thread(body: ThreadBody) -> list[Wish]:
    return [
        Wish(
            platform=body.platform,
            account_id=body.account_id,
            options=body.options,
            content=None,
            title=body.title,
            places=Places(
                target="/platform",
                account="/account_id",
                options="/options",
                parts=tuple(_content_at(f"/posts/{index}") for index in range(len(body.posts))),
            ),
        )
    ]


def wishes_of_create(body: CreateBody) -> list[Wish]:
    parts = (("/content", "/media" if body.media else "/content/media"),)
    return _wishes(
        body.platforms, by_name(body.accounts), by_name(body.options), body.overriding(), parts, title=body.title
    )


def wishes_of_post(post: Post, *, content_media: str = "/media") -> list[Wish]:
    """As the post says, or, if it has targets already, those of them that can be published.

    `content_media` is where the client wrote the media of the shared content.
    """
    parts = _parts_of(post, content_media)
    if not post.targets:
        return _wishes(post.platforms, post.accounts, post.options, post.overrides, parts, title=post.title)
    return [
        Wish(
            platform=target.platform,
            account_id=target.account_id,
            options=target.options,
            content=target.content,
            title=post.title,
            places=_places(post.platforms, target.platform, target.content is not None, parts),
        )
        for target in post.targets
        if target.status in ("pending", "failed")
    ]


def wishes_of_edit(before: Post, after: Post, body: EditBody, *, content_media: str) -> list[Wish]:
    """Of a scheduled post: its targets stay where the edit says nothing about them."""
    parts = _parts_of(after, content_media)
    wishes = []
    for wish in _wishes(after.platforms, after.accounts, after.options, after.overrides, parts, title=after.title):
        kept = [target for target in before.targets if target.platform == wish.platform]
        if not kept or body.accounts is not UNSET:
            wishes.append(wish)
            continue
        for target in kept:
            content = target.content if body.overrides is UNSET else wish.content
            wishes.append(
                Wish(
                    platform=target.platform,
                    account_id=target.account_id,
                    options=target.options if body.options is UNSET else wish.options,
                    content=content,
                    title=after.title,
                    places=_places(after.platforms, target.platform, content is not None, parts),
                )
            )
    return wishes


def _parts_of(post: Post, content_media: str) -> tuple[tuple[str, str], ...]:
    if post.kind == "thread":
        return tuple(_content_at(f"/parts/{index}") for index in range(len(post.parts)))
    return (("/content", content_media),)


def _wishes(
    platforms: Sequence[Platform],
    accounts: Mapping[str, str],
    options: Mapping[str, Options],
    overrides: Mapping[str, Content],
    parts: tuple[tuple[str, str], ...],
    *,
    title: str | None,
) -> list[Wish]:
    return [
        Wish(
            platform=platform,
            account_id=accounts.get(platform),
            options=options.get(platform, {}),
            content=overrides.get(platform),
            title=title,
            places=_places(platforms, platform, platform in overrides, parts),
        )
        for platform in platforms
    ]


def _places(
    platforms: Sequence[Platform], platform: Platform, is_overridden: bool, parts: tuple[tuple[str, str], ...]
) -> Places:
    return Places(
        target=f"/platforms/{platforms.index(platform)}",
        account=f"/accounts/{platform}",
        options=f"/options/{platform}",
        parts=(_content_at(f"/overrides/{platform}"),) if is_overridden else parts,
    )


def _content_at(pointer: str) -> tuple[str, str]:
    return pointer, f"{pointer}/media"


def targets(
    parts: Sequence[Content],
    kind: PostKind,
    wishes: Sequence[Wish],
    accounts: Sequence[Account],
    uploads: Mapping[str, MediaAsset] = preflight.NO_UPLOADS,
) -> tuple[TargetSpec, ...]:
    """Where to publish. Raises ProblemError when anything stands in the way of publishing."""
    chosen = [(wish, resolve.connected(wish, resolve.choose(wish, accounts))) for wish in wishes]
    specs = tuple(resolve.target(wish, account) for wish, account in chosen)
    resolve.distinct(wishes, specs)
    preflight.refuse(preflight.violations(parts, kind, chosen, uploads), draft=False)
    return specs


def check_draft(
    parts: Sequence[Content],
    kind: PostKind,
    wishes: Sequence[Wish],
    accounts: Sequence[Account],
    uploads: Mapping[str, MediaAsset] = preflight.NO_UPLOADS,
) -> None:
    """Raises ProblemError for what no later change of accounts or additions would put right."""
    chosen = [(wish, None if wish.account_id is None else resolve.choose(wish, accounts)) for wish in wishes]
    preflight.refuse(preflight.violations(parts, kind, chosen, uploads), draft=True)


def look_over(
    parts: Sequence[Content],
    kind: PostKind,
    wishes: Sequence[Wish],
    accounts: Sequence[Account],
    uploads: Mapping[str, MediaAsset] = preflight.NO_UPLOADS,
) -> tuple[list[FieldError], list[tuple[Wish, Account | None]]]:
    """Everything that stands in the way of publishing, and the accounts found. A missing account is `incomplete`."""
    errors: list[FieldError] = []
    chosen: list[tuple[Wish, Account | None]] = []
    for wish in wishes:
        account = None
        try:
            account = resolve.choose(wish, accounts)
            resolve.connected(wish, account)
        except ProblemError as problem:
            is_open = problem.code in ("account_required", "account_ambiguous", "account_disconnected")
            errors += [replace(error, severity="incomplete" if is_open else "invalid") for error in problem.errors]
        chosen.append((wish, account))
    known = [(wish, account) for wish, account in chosen if account is not None]
    try:
        resolve.distinct([wish for wish, _ in known], [resolve.target(wish, account) for wish, account in known])
    except ProblemError as problem:
        errors += [replace(error, severity="invalid") for error in problem.errors]
    return errors + preflight.violations(parts, kind, chosen, uploads), chosen
