"""Each service has a user of its own, with rights on the collections that its code names."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from tests.manifests.rendering import ROOT, SERVICES, Document, Manifests

RUNTIME = {
    "posts": {"posts", "posts_rebuilt", "checkpoints"},
    "publisher": {"accounts", "checkpoints"},
    "media": {"media", "checkpoints"},
    "webhooks": {"endpoints", "checkpoints"},
}
"""Named by `eventlog.documents` after the aggregate."""

READS, WRITES = {"find", "listIndexes", "createIndex"}, {"insert", "update", "remove"}


def named_in(service: str) -> Iterator[str]:
    """What the code of a service takes out of a database by name; of a name that is put together, how it begins."""
    for path in ROOT.glob(f"services/{service}/src/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Subscript(value=ast.Name(id="database"), slice=ast.Constant(value=str(name))):
                    yield name
                case ast.Subscript(
                    value=ast.Name(id="database"), slice=ast.JoinedStr(values=[ast.Constant(value=str(name)), *_])
                ):
                    yield name


def rights(production: Manifests, service: str) -> dict[str, set[str]]:
    spec = production.of("MongoDBCommunity")["social"]["spec"]
    (user,) = [each for each in spec["users"] if each["name"] == service]
    (reference,) = user["roles"]
    (role,) = [each for each in spec["security"]["roles"] if each["role"] == reference["name"]]
    assert role["db"] == reference["db"]
    assert role["roles"] == []
    return {each["resource"]["collection"]: set(each["actions"]) for each in role["privileges"]}


@pytest.mark.parametrize("service", SERVICES)
def test_rights_are_on_the_collections_that_the_code_names(production: Manifests, service: str) -> None:
    named = {*named_in(service), *RUNTIME.get(service, ())}
    derived = {f"{name}_{suffix}" for name in named for suffix in ("bounds", "rebuilt")}
    granted = rights(production, service)
    assert named <= granted.keys() <= named | derived


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_connects_as_itself(production: Manifests, service: str) -> None:
    told = production.environment(service, lambda name, key: f"{name}/{key}")
    assert told["MONGODB_URI"] == f"mongodb-{service}/connectionString.standard"
    assert told["MONGODB_DATABASE"] == "social"


def test_nobody_writes_what_another_keeps(production: Manifests) -> None:
    writers: dict[str, list[str]] = {}
    for service in SERVICES:
        for collection, actions in rights(production, service).items():
            assert actions <= READS | WRITES | ({"dropCollection"} if collection.endswith("_rebuilt") else set())
            if actions & WRITES:
                writers.setdefault(collection, []).append(service)
    shared = {name: services for name, services in writers.items() if len(services) > 1}
    assert shared == {"checkpoints": ["media", "posts", "publisher", "webhooks"]}


def test_tokens_and_keys_are_seen_by_one_service_each(production: Manifests) -> None:
    for collection, owner in (("tokens", "publisher"), ("webhook_keys", "webhooks")):
        assert [service for service in SERVICES if collection in rights(production, service)] == [owner]


def test_every_user_has_a_secret_of_its_own(production: Manifests) -> None:
    users: list[Document] = production.of("MongoDBCommunity")["social"]["spec"]["users"]
    for field in ("name", "connectionStringSecretName", "scramCredentialsSecretName"):
        assert len({each[field] for each in users}) == len(users)
    assert {(each["passwordSecretRef"]["name"], each["passwordSecretRef"]["key"]) for each in users} == {
        ("mongodb-passwords", each["name"]) for each in users
    }
