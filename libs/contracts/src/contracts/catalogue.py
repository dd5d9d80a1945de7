"""Imports every module that defines messages, so that the registry is complete."""

from contracts import accounts, posts, public_events, publishing, verdicts
from contracts.messages import registry

__all__ = ["accounts", "posts", "public_events", "publishing", "registry", "verdicts"]
