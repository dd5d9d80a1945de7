"""Whether a platform would take a post: refused here, with the reason, rather than there."""

from collections.abc import Sequence

from contracts.content import Content, Options, Platform
from contracts.posts import PostKind
from platforms import facebook, instagram, linkedin, tiktok, x, youtube
from platforms.rules import AccountFacts, Violation

__all__ = ["AVAILABLE", "OPTIONS", "AccountFacts", "Violation", "check"]

AVAILABLE: tuple[Platform, ...] = ("twitter", "linkedin", "tiktok", "instagram", "facebook", "youtube")
"""Where this system can publish."""

OPTIONS = {
    "twitter": x.OPTIONS,
    "linkedin": linkedin.OPTIONS,
    "tiktok": tiktok.OPTIONS,
    "instagram": instagram.OPTIONS,
    "facebook": facebook.OPTIONS,
    "youtube": youtube.OPTIONS,
}
"""What `platforms[].options` may hold, by platform and name."""


def check(
    parts: Sequence[Content],
    *,
    kind: PostKind,
    platform: Platform,
    options: Options,
    account: AccountFacts | None,
    title: str | None = None,
) -> list[Violation]:
    """Every rule that the post breaks, in the order of its parts. `parts` are what is to be published there, `title`
    is the post's.
    """
    match platform:
        case "twitter":
            return list(x.check(parts, kind=kind, options=options, account=account))
        case "linkedin":
            return list(linkedin.check(parts, kind=kind, options=options, account=account, title=title))
        case "tiktok":
            return list(tiktok.check(parts, kind=kind, options=options, account=account, title=title))
        case "instagram":
            return list(instagram.check(parts, kind=kind, options=options, account=account))
        case "facebook":
            return list(facebook.check(parts, kind=kind, options=options, account=account, title=title))
        case "youtube":
            return list(youtube.check(parts, kind=kind, options=options, account=account, title=title))
