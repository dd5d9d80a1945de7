"""Beside this file lies AsyncAPI's own schema of 3.0.0, compact (github.com/asyncapi/spec-json-schemas, Apache-2.0)."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from contracts.asyncapi import PATH, document
from contracts.catalogue import registry
from contracts.topics import all_topics

OFFICIAL = json.loads(Path(__file__).with_name("asyncapi-3.0.0.schema.json").read_text("utf-8"))
DOCUMENT = document()


def resolve(reference: str) -> Any:
    found: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for inner in value.values() for each in references(inner)]
    if isinstance(value, list):
        return [each for inner in value for each in references(inner)]
    return []


def test_the_committed_document_is_the_generated_one() -> None:
    """Run `python -m contracts.asyncapi` after every change of messages or topics."""
    assert json.loads(PATH.read_text("utf-8")) == DOCUMENT


def test_the_document_is_asyncapi_3() -> None:
    validator = jsonschema.Draft7Validator(OFFICIAL)
    assert [error.message for error in validator.iter_errors(DOCUMENT)] == []


def test_the_official_schema_would_notice() -> None:
    broken = json.loads(json.dumps(DOCUMENT))
    broken["channels"]["social.post_failed"]["bindings"]["kafka"]["partitions"] = "many"
    assert list(jsonschema.Draft7Validator(OFFICIAL).iter_errors(broken))


def test_every_reference_leads_somewhere() -> None:
    found = references(DOCUMENT)
    assert len(found) > 100
    for reference in found:
        assert resolve(reference)


def test_every_topic_is_a_channel_and_the_public_ones_come_first() -> None:
    names = list(DOCUMENT["channels"])
    assert set(names) == {topic.name for topic in all_topics()}
    public = [name for name in names if name.startswith("social.")]
    assert names[: len(public)] == public
    sent = [operation["channel"]["$ref"].removeprefix("#/channels/") for operation in DOCUMENT["operations"].values()]
    assert sent == public


def test_every_message_is_described() -> None:
    assert set(DOCUMENT["components"]["messages"]) == set(registry())


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["messages"]))
def test_examples_fit_their_schemas(name: str) -> None:
    message = DOCUMENT["components"]["messages"][name]
    (example,) = message["examples"]
    for part in ("headers", "payload"):
        schema = {**message[part], "components": DOCUMENT["components"]}
        jsonschema.validate(example[part], schema, jsonschema.Draft202012Validator)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({}, schema, jsonschema.Draft202012Validator)
