"""What a platform's answer means for what was asked of it.

Each connector maps answers to these by a closed table. An answer that no table lists is `Ambiguous`: the request was
written to a socket, so the post may be live.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from contracts.content import Failure

Cause = Literal[
    "unreachable",
    "token_refused",
    "token_unripe",
    "token_dead",
    "media_refused",
    "media_processing",
    "media_unavailable",
    "conflict",
]
"""Why the same thing is worth asking again; each cause has its own schedule in `publication.Policy`.

`token_unripe` is a token so new that the platform may not know it yet, `token_dead` one that will never work again.
"""

TOKEN_CAUSES: frozenset[Cause] = frozenset(("token_refused", "token_unripe", "token_dead"))
"""When their schedule is used up the account is disconnected."""


class Accepted(Struct, frozen=True):
    """Live."""

    platform_post_id: str
    url: str | None = None


class Refused(Struct, frozen=True):
    """Not live, and asking again unchanged would not help."""

    failure: Failure


class Postponed(Struct, frozen=True):
    """Not live; the platform, or a budget, names the time to ask again."""

    until: datetime
    failure: Failure


class Retry(Struct, frozen=True):
    """Not live; to be asked again after the pauses that belong to the cause."""

    cause: Cause
    failure: Failure


class Duplicate(Struct, frozen=True):
    """Refused because the platform holds the same post already: by an earlier request of ours, or by somebody."""

    failure: Failure
    platform_post_id: str | None = None
    url: str | None = None


class Ambiguous(Struct, frozen=True):
    """Nobody can say yet whether it is live. `accepted`: the platform said so, without a usable id."""

    failure: Failure
    accepted: bool = False


class Processing(Struct, frozen=True):
    """The platform has taken it and will say later whether it is live; `failure` is the reason to give until then.

    `handle`: what the platform calls it until then, where only this answer tells.
    """

    failure: Failure
    handle: str | None = None


Setback = Refused | Postponed | Retry
"""Certainly not live."""

Answer = Accepted | Refused | Postponed | Retry | Duplicate | Ambiguous | Processing


class SetbackError(Exception):
    """A step that can be repeated at will did not succeed; the setback says what follows from it."""

    def __init__(self, setback: Setback) -> None:
        super().__init__(setback.failure.message)
        self.setback = setback


class Candidate(Struct, frozen=True):
    """A post found on the platform that looks like the one that was sent."""

    platform_post_id: str
    created_at: datetime
    url: str | None = None


class Finding(Struct, frozen=True):
    """One reading of what an account has live. `complete`: everything since the send was read.

    A platform that names what was sent to it by an id may also say that it has `refused` it, or is still at it; or
    that it is not live, and may be sent again after a `setback`.
    """

    candidates: tuple[Candidate, ...] = ()
    complete: bool = False
    refused: Failure | None = None
    processing: Failure | None = None
    setback: Postponed | Retry | None = None


UNREADABLE = Finding()
"""The reading did not succeed: it says nothing."""
