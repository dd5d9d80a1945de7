"""Whether a platform would take a post: refused here, with the reason, rather than there."""

from collections.abc import Sequence

from contracts.content import Content, Options, Platform
from contracts.posts import PostKind
from platforms import linkedin, x
from platforms.rules import AccountFacts, Violation

__all__ = ["AVAILABLE", "OPTIONS", "AccountFacts", "Violation", "check"]

AVAILABLE: tuple[Platform, ...] = ("twitter", "linkedin")
"""Where this system can publish."""

OPTIONS = {"twitter": x.OPTIONS, "linkedin": linkedin.OPTIONS}
"""What `platforms[].options` may hold, by platform and name."""


def check(
    parts: Sequence[Content],
    *,
    kind: PostKind,
    platform: Platform,
    options: Options,
    account: AccountFacts | None,
) -> list[Violation]:
    """Every rule that the post breaks, in the order of its parts. `parts` are what is to be published there."""
    match platform:
        case "twitter":
            return list(x.check(parts, kind=kind, options=options, account=account))
        case "linkedin":
            return list(linkedin.check(parts, kind=kind, options=options, account=account))
        case _:
            return [
                Violation(
                    rule=f"{platform}.not_available",
                    platform=platform,
                    pointer="",
                    message=f"Publishing to {platform} is not available in this deployment.",
                    limit=list(AVAILABLE),
                    actual=platform,
                    remediation="Keep the post as a draft, or leave the platform out.",
                    severity="incomplete",
                )
            ]
