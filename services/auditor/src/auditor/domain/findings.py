"""What the auditor can find wrong. Pure."""

from datetime import datetime
from typing import Literal, get_args

from msgspec import Struct

Kind = Literal[
    "overdue",
    "stuck",
    "unremoved",
    "unaccepted",
    "contradiction",
    "duplicate",
    "unrecorded",
    "unjournalled",
    "disagreement",
    "unbalanced",
    "unreadable",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

EXPLANATIONS: dict[Kind, str] = {
    "overdue": "scheduled, and not handed to the publisher when it was due",
    "stuck": "handed to the publisher, and nothing has happened since",
    "unremoved": "to be taken off its platform, and nothing has happened since",
    "unaccepted": "something happened to a target that nobody has asked for",
    "contradiction": "an event that must not follow what was known",
    "duplicate": "live twice",
    "unrecorded": "the journal knows how it ended, the log does not",
    "unjournalled": "published by the log, unknown to the journal",
    "disagreement": "journal and log name different posts of the platform",
    "unbalanced": "the sum of all states is not what was accepted",
    "unreadable": "a record of the log that cannot be read",
}


class Finding(Struct, frozen=True, kw_only=True):
    """Something wrong with one target, or with a tenant's sum."""

    kind: Kind
    tenant_id: str
    post_id: str = ""
    target_id: str = ""
    at: datetime
    """Since when, or when it was recorded."""
    detail: str
    version: int = 0
    """Of the event that shows it; 0 for what may still mend itself."""

    @property
    def finding_id(self) -> str:
        """The same for the same finding, however often it is made."""
        return f"{self.kind}/{self.post_id or self.tenant_id}/{self.target_id}/{self.version}"
