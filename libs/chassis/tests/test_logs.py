"""What reaches the log, and what must not."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from chassis import logs, tracing


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize(
    "key", ["token", "access_token", "client_secret", "Authorization", "password", "set_cookie", "api_key", "apikey"]
)
def test_a_secret_is_known_by_its_name(key: str) -> None:
    assert logs.redact(None, "info", {key: "canary", "post_id": "post_1"}) == {key: "[redacted]", "post_id": "post_1"}


def test_a_bearer_token_is_known_wherever_it_stands() -> None:
    event = logs.redact(None, "info", {"event": "sent Authorization: Bearer abcdefgh.ijkl-mn and went on"})
    assert event["event"] == "sent Authorization: Bearer [redacted] and went on"


def test_lines_are_json_with_service_level_and_trace(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("posts", "INFO")
    span = tracing.start("work", parent="00-" + "a" * 32 + "-" + "b" * 16 + "-00")
    with tracing.within(span, tenant_id="tenant_1", post_id="another"):
        structlog.get_logger().info("post published", post_id="post_1")
    structlog.get_logger().debug("not shown")
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert (entry["service"], entry["level"], entry["event"]) == ("posts", "info", "post published")
    assert (entry["post_id"], entry["trace_id"]) == ("post_1", "a" * 32)
    assert entry["tenant_id"] == "tenant_1"
    assert "at" in entry


def test_an_exception_quotes_no_token(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("posts", "INFO")
    try:
        raise ValueError("refused: Bearer canarycanary")
    except ValueError:
        structlog.get_logger().exception("call failed")
    logging.getLogger("library").warning("tried with Basic canarycanary==")
    written = capsys.readouterr().err
    assert "canary" not in written
    assert "ValueError" in written
