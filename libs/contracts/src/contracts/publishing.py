"""Jobs: what the posts service asks of the publisher."""

from datetime import datetime

from contracts.content import Content, LivePart, Options, Platform
from contracts.messages import Command, message


@message("publish.requested.v1")
class PublishRequested(Command, frozen=True, kw_only=True):
    """Make progress on one target: publish it, resume it, or find out whether it is live.

    The publisher's journal, not this message, says what has been done already; a repeated request is harmless.
    Requests for one account are handled in the order of this topic.
    """

    post_id: str
    tenant_id: str
    target_id: str
    attempt: int
    platform: Platform
    account_id: str
    parts: tuple[Content, ...]
    """What is to be live, in order; overrides of the target are applied already."""
    title: str | None = None
    options: Options
    live_parts: tuple[LivePart, ...]
    due_at: datetime
    unresolved_since: datetime | None
    """Since when the outcome has been unknown, if it is."""
    reply_to: str | None = None
    """The platform's id of the post that the first part answers: what is to be published is a comment."""
    absent: bool = False
    """A person has seen that what the journal holds for doubtful is not live."""


@message("publish.removal_requested.v1")
class RemovalRequested(Command, frozen=True, kw_only=True):
    """Take what is live of a target off its platform. Harmless to repeat."""

    post_id: str
    tenant_id: str
    target_id: str
    attempt: int
    platform: Platform
    account_id: str
    live_parts: tuple[LivePart, ...]
