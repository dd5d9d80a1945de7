"""Identifiers: time-ordered, unguessable, readable in a log (`post_01J…`)."""

import hashlib
import os
import time

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _encode(number: int) -> str:
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -5, -5))


def new_id(prefix: str, *, at_ms: int | None = None) -> str:
    """A fresh id `<prefix>_<26 characters>`: 48 bits of time in milliseconds, 80 random bits (the ULID layout)."""
    millis = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    return f"{prefix}_{_encode(millis << 80 | int.from_bytes(os.urandom(10)))}"


def derived_id(prefix: str, *parts: str, at_ms: int = 0) -> str:
    """The same id for the same parts: what makes a repeated request recognisable. `at_ms` keeps it time-ordered."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()[:10]
    return f"{prefix}_{_encode(at_ms << 80 | int.from_bytes(digest))}"


def sibling(prefix: str, identifier: str) -> str:
    """The id of the same thing under another name: `pub_X` and `post_X` are one publication and its post."""
    return f"{prefix}_{identifier.partition('_')[2]}"
