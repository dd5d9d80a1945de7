from datetime import UTC, datetime

import msgspec
import pytest

from contracts.catalogue import registry
from contracts.examples import EXAMPLES, VARIANTS, envelope
from contracts.messages import Message, UndecodableError, decode, encode
from contracts.posts import Outcome, TargetOutcomeRecorded
from contracts.wire import Envelope, pack, unpack

ALL = (*EXAMPLES.values(), *VARIANTS)


def named(example: Message) -> str:
    return example.type_name


def test_every_message_has_an_example_of_its_own_type() -> None:
    assert {name: type(example) for name, example in EXAMPLES.items()} == registry()


def test_every_outcome_has_an_example() -> None:
    shown = {type(each.outcome) for each in ALL if isinstance(each, TargetOutcomeRecorded)}
    assert shown == set(Outcome.__args__)


@pytest.mark.parametrize("example", ALL, ids=named)
def test_examples_fill_what_may_be_left_out(example: Message) -> None:
    """So that golden lines hold a value for each field; what they leave out is said by the type alone."""
    filled = {name for each in ALL if type(each) is type(example) for name in set_fields(each)}
    assert filled | OFTEN_NOT_SET.get(example.type_name, frozenset()) == set(example.__struct_fields__)


def set_fields(message: Message) -> set[str]:
    return {name for name in message.__struct_fields__ if getattr(message, name) not in (None, (), {}, False)}


OFTEN_NOT_SET = {
    "account.disconnect.v1": frozenset({"actor"}),
    "account.disconnected.v1": frozenset({"actor"}),
    "post.create.v1": frozenset({"publish_now"}),
    "post.created.v1": frozenset({"publish_now"}),
    "post.delete.v1": frozenset({"expected_revision"}),
    "post.publication_started.v1": frozenset({"actor", "targets"}),
    "post.publish.v1": frozenset({"expected_revision"}),
}


@pytest.mark.parametrize("example", ALL, ids=named)
def test_the_wire_carries_a_message_and_its_envelope_unchanged(example: Message) -> None:
    sent = envelope(example)
    headers, value = pack(example, sent)
    received, message = unpack(headers, value)
    assert received == sent
    assert type(message) is type(example)
    assert encode(message) == encode(example) == value


def test_the_headers_are_cloudevents_in_kafkas_binary_mode() -> None:
    full = Envelope(
        id="evt_1",
        source="posts/posts-0",
        subject="post_1",
        time=datetime(2026, 1, 24, 20, tzinfo=UTC),
        sequence=12,
        previous_id="evt_0",
        command_id="cmd_1",
        tenant_id="tenant_1",
        reply_partition=0,
        deadline=datetime(2026, 1, 24, 20, 0, 10, tzinfo=UTC),
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )
    headers, value = pack(EXAMPLES["post.cancelled.v1"], full)
    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_type": b"post.cancelled.v1",
        "ce_id": b"evt_1",
        "ce_source": b"posts/posts-0",
        "ce_subject": b"post_1",
        "ce_time": b"2026-01-24T20:00:00Z",
        "content-type": b"application/json",
        "ce_sequence": b"00000000000000000012",
        "ce_previousid": b"evt_0",
        "ce_commandid": b"cmd_1",
        "ce_tenantid": b"tenant_1",
        "traceparent": b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "ce_replypartition": b"0",
        "ce_deadline": b"2026-01-24T20:00:10Z",
    }
    assert len(headers) == len(dict(headers))
    assert unpack(headers, value)[0] == full


def test_a_number_where_text_is_due_is_not_decoded() -> None:
    body = msgspec.json.decode(encode(EXAMPLES["post.cancelled.v1"]))
    with pytest.raises(UndecodableError, match=r"post\.cancelled\.v1.*actor"):
        decode("post.cancelled.v1", encode({**body, "actor": 7}))
