from hypothesis import given
from hypothesis import strategies as st

from contracts.catalogue import registry
from contracts.content import PLATFORMS
from contracts.topics import all_topics, collect_requests, dead_letters, partition_for, publish_requests

HOUR = 3_600_000
BY_NAME = {topic.name: topic for topic in all_topics()}


def messages_of(name: str) -> set[str]:
    return {message.type_name for message in BY_NAME[name].messages}


def test_no_two_topics_share_a_name() -> None:
    assert len(BY_NAME) == len(all_topics())


def test_every_message_has_its_topics() -> None:
    expected = {
        "posts.commands": {
            "post.create.v1",
            "post.edit.v1",
            "post.schedule.v1",
            "post.publish.v1",
            "post.cancel.v1",
            "post.delete.v1",
            "post.remove.v1",
            "post.resolve_target.v1",
            "post.report_outcome.v1",
            "post.report_removal.v1",
        },
        "posts.events": {
            "post.created.v1",
            "post.edited.v1",
            "post.scheduled.v1",
            "post.publication_started.v1",
            "post.attempts_due.v1",
            "post.cancelled.v1",
            "post.deleted.v1",
            "post.target_outcome_recorded.v1",
            "post.duplicate_detected.v1",
            "post.target_resolved.v1",
            "post.removal_started.v1",
            "post.removal_recorded.v1",
            "command.refused.v1",
        },
        "accounts.commands": {"account.connect.v1", "account.disconnect.v1", "account.update_profile.v1"},
        "accounts.events": {
            "account.connected.v1",
            "account.disconnected.v1",
            "account.profile_updated.v1",
            "command.refused.v1",
        },
        "endpoints.commands": {
            "endpoint.create.v1",
            "endpoint.update.v1",
            "endpoint.enable.v1",
            "endpoint.disable.v1",
            "endpoint.delete.v1",
            "endpoint.rotate_secret.v1",
        },
        "endpoints.events": {
            "endpoint.created.v1",
            "endpoint.updated.v1",
            "endpoint.enabled.v1",
            "endpoint.disabled.v1",
            "endpoint.deleted.v1",
            "endpoint.secret_rotated.v1",
            "command.refused.v1",
        },
        "media.commands": {
            "media.upload.v1",
            "media.record_processing.v1",
            "media.request_variant.v1",
            "media.record_variant.v1",
            "media.delete.v1",
        },
        "media.events": {
            "media.uploaded.v1",
            "media.ready.v1",
            "media.rejected.v1",
            "media.variant_requested.v1",
            "media.variant_ready.v1",
            "media.variant_failed.v1",
            "media.deleted.v1",
            "command.refused.v1",
        },
        "media.jobs": {"media.process.v1", "media.make_variant.v1"},
        "gateway.replies": {"command.verdict.v1"},
        "analytics.commands": {"analytics.refresh.v1"},
        "metrics.samples": {
            "metrics.post_tracked.v1",
            "metrics.post_measured.v1",
            "metrics.followers_measured.v1",
            "metrics.mentions_found.v1",
            "metrics.not_measured.v1",
        },
        **{
            f"collect.requests.{platform}": {"collect.posts_requested.v1", "collect.account_requested.v1"}
            for platform in PLATFORMS
        },
        **{
            f"publish.requests.{platform}": {"publish.requested.v1", "publish.removal_requested.v1"}
            for platform in PLATFORMS
        },
    }
    public = {name for name in BY_NAME if name.startswith("social.")}
    assert len(public) == 5
    expected |= {name: {name} for name in public}
    expected |= {name: set() for name in BY_NAME if name.endswith(".dead")}
    assert {name: messages_of(name) for name in BY_NAME} == expected
    assert set().union(*expected.values()) == set(registry())


def test_what_is_read_as_jobs_or_commands_has_a_place_for_the_unreadable() -> None:
    read = [
        "accounts.commands",
        "accounts.events",
        "analytics.commands",
        "endpoints.commands",
        "media.commands",
        "media.jobs",
        "metrics.samples",
        "posts.commands",
        "posts.events",
        *map(publish_requests, PLATFORMS),
        *map(collect_requests, PLATFORMS),
    ]
    assert {name for name in BY_NAME if name.endswith(".dead")} == {*map(dead_letters, read), "webhooks.dead"}


def test_the_truth_is_kept_for_ever_and_nothing_is_compacted() -> None:
    kept = {name: int(topic.config["retention.ms"]) for name, topic in BY_NAME.items()}
    assert kept["posts.events"] == kept["accounts.events"] == kept["metrics.samples"] == -1
    assert kept["gateway.replies"] == HOUR
    assert kept["social.post_published"] == 30 * 24 * HOUR
    assert {topic.config["cleanup.policy"] for topic in BY_NAME.values()} == {"delete"}
    assert {topic.config["retention.bytes"] for topic in BY_NAME.values()} == {"-1"}


def test_only_the_broker_dates_commands() -> None:
    dated = {name for name, topic in BY_NAME.items() if topic.config.get("message.timestamp.type") == "LogAppendTime"}
    assert dated == {"posts.commands", "accounts.commands", "endpoints.commands", "media.commands"}


def test_partition_counts_are_one_number() -> None:
    assert {topic.partitions for topic in all_topics(24)} == {24}


def test_partitions_of_keys_never_change() -> None:
    pinned = {
        "post_01KFSZ1V5R3W8Q6M2N7T4X9B0C": (0, 0, 0),
        "acc_01KFQ2M8C4T6V9Y3H5J7K1P0RA": (5, 21, 21),
        "": (0, 0, 0),
        "é": (6, 14, 14),
    }
    assert {key: tuple(partition_for(key, n) for n in (8, 24, 48)) for key in pinned} == pinned


@given(st.text(), st.integers(1, 1000))
def test_every_key_has_a_partition(key: str, partitions: int) -> None:
    assert 0 <= partition_for(key, partitions) < partitions
