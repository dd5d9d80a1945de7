"""The post aggregate: what the event log runtime needs to know about posts and threads."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from contracts.media import import_id
from contracts.messages import Command, Event
from contracts.posts import Post
from contracts.topics import POSTS_COMMANDS, POSTS_EVENTS
from eventlog.aggregate import Decision, FollowUp
from posts.domain.deciding import BecomeDue, decide
from posts.domain.evolving import evolve
from posts.domain.outgoing import media_imports, named_by_url, public_events, publish_requests, removal_requests


class PostAggregate:
    """`eventlog.aggregate.Aggregate` of posts."""

    name = "posts"
    commands_topic = POSTS_COMMANDS
    events_topic = POSTS_EVENTS
    state_type = Post

    def decide(self, state: Post | None, command: Command) -> Decision:
        return decide(state, command)

    def evolve(self, state: Post | None, event: Event) -> Post:
        return evolve(state, event)

    def index(self, state: Post) -> Mapping[str, Any]:
        return {
            "tenant_id": state.tenant_id,
            "kind": state.kind,
            "status": state.status,
            "created_at": state.created_at,
            "scheduled_at": None if state.schedule is None else state.schedule.at,
            "platforms": list(state.platforms),
            "campaign_id": state.campaign_id,
            "tags": list(state.tags),
            "deleted": state.deleted,
            "media_ids": sorted(media_ids(state)),
        }

    def due_at(self, state: Post) -> datetime | None:
        if state.deleted:
            return None
        if state.status == "scheduled" and state.schedule is not None:
            return state.schedule.at
        targets = (*state.targets, *state.comments)
        attempts = [target.next_attempt_at for target in targets]
        removals = [target.removal.next_attempt_at for target in targets if target.removal is not None]
        return min((at for at in (*attempts, *removals) if at is not None), default=None)

    def when_due(self, aggregate_id: str, now: datetime) -> Command:
        return BecomeDue(post_id=aggregate_id, now=now)

    def follow_ups(self, before: Post | None, event: Event, event_id: str, after: Post) -> Sequence[FollowUp]:
        return [
            *media_imports(before, after),
            *publish_requests(before, event, after),
            *removal_requests(event, after),
            *public_events(before, event_id, after),
        ]


def media_ids(post: Post) -> set[str]:
    """The uploads that it shows anywhere, those included that are made of what it names by URL."""
    instead = (*post.overrides.values(), *(target.content for target in post.targets if target.content is not None))
    uploaded = {
        media.media_id for content in (*post.parts, *instead) for media in content.media if media.media_id is not None
    }
    return uploaded | {import_id(post.post_id, url) for url in named_by_url(post)}
