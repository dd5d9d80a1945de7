"""Whatever lies in a topic, reading it ends in a message or in UndecodableError."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.examples import EXAMPLES, envelope
from contracts.messages import UndecodableError, decode, encode
from contracts.wire import Headers, pack, unpack

CREATED = EXAMPLES["post.created.v1"]
HEADERS, VALUE = pack(CREATED, envelope(CREATED))
REQUIRED = ("ce_type", "ce_id", "ce_source", "ce_subject", "ce_time")


def with_header(name: str, value: bytes) -> Headers:
    return (*((header, old) for header, old in HEADERS if header != name), (name, value))


def without_header(name: str) -> Headers:
    return tuple(header for header in HEADERS if header[0] != name)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_attribute_is_named(name: str) -> None:
    with pytest.raises(UndecodableError, match=name):
        unpack(without_header(name), VALUE)


@pytest.mark.parametrize("name", [*REQUIRED, "ce_previousid", "ce_commandid", "ce_tenantid", "traceparent"])
def test_attributes_are_utf_8(name: str) -> None:
    with pytest.raises(UndecodableError):
        unpack(with_header(name, b"\xff\xfe"), VALUE)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_type", b"post.unheard_of.v1"),
        ("ce_time", b"yesterday"),
        ("ce_time", b"2026-01-23T09:15:00"),
        ("ce_deadline", b"2026-01-23T09:15:00"),
        ("ce_deadline", b""),
        ("ce_sequence", b"twelve"),
        ("ce_replypartition", b"\x00\x01"),
    ],
)
def test_malformed_attributes(name: str, value: bytes) -> None:
    with pytest.raises(UndecodableError):
        unpack(with_header(name, value), VALUE)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{",
        b'"post"',
        b"\xff",
        b'{"post_id": "\xff"}',
        VALUE[:-1],
        VALUE + b"x",
        VALUE.replace(b'"kind":"post"', b'"kind":"poem"'),
        VALUE.replace(b'"title":"Product launch"', b'"title":7'),
        VALUE.replace(b"2026-01-23T09:15:00Z", b"the other day"),
        VALUE.replace(b"{", b'{"options": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000 + b",", 1),
    ],
)
def test_data_that_does_not_fit_its_type(value: bytes) -> None:
    assert value != VALUE
    with pytest.raises(UndecodableError):
        unpack(HEADERS, value)


def test_a_tombstone_is_not_a_message() -> None:
    with pytest.raises(UndecodableError, match="tombstone"):
        unpack(HEADERS, None)


names = st.sampled_from([name for name, _ in HEADERS]) | st.text(max_size=20)


@given(st.lists(st.tuples(names, st.binary(max_size=40)), max_size=15), st.binary() | st.none())
def test_any_headers_and_any_bytes(headers: list[tuple[str, bytes]], value: bytes | None) -> None:
    read(tuple(headers), value)


@given(st.sampled_from(sorted(EXAMPLES)), st.data())
def test_any_damage_to_a_good_message(name: str, data: st.DataObject) -> None:
    headers, value = pack(EXAMPLES[name], envelope(EXAMPLES[name]))
    position = data.draw(st.integers(0, len(value)))
    removed = data.draw(st.integers(0, 8))
    damaged = value[:position] + data.draw(st.binary(max_size=8)) + value[position + removed :]
    header = data.draw(st.sampled_from(headers))[0]
    read(tuple((n, data.draw(st.binary(max_size=40)) if n == header else v) for n, v in headers), value)
    read(headers, damaged)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.sampled_from(sorted(EXAMPLES)), json, st.data())
def test_a_value_of_any_kind_in_any_field(name: str, value: object, data: st.DataObject) -> None:
    headers, good = pack(EXAMPLES[name], envelope(EXAMPLES[name]))
    fields = msgspec.json.decode(good)
    read(headers, encode({**fields, data.draw(st.sampled_from(sorted(fields))): value}))


def read(headers: Headers, value: bytes | None) -> None:
    try:
        _, message = unpack(headers, value)
    except UndecodableError:
        return
    assert message.type_name == dict(headers)["ce_type"].decode()
    assert encode(decode(message.type_name, encode(message))) == encode(message)
