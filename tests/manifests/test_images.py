"""Images can be built, and each has what its service needs: from its own lock and packages, and from nothing else.

`make images-dry` follows the Dockerfiles in folders, with the network, and runs the system from what comes out of it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.manifests.images import Image, copied, instructions
from tests.manifests.rendering import ROOT

from localstack.services import SERVICES
from localstack.stack import Stack

OF_SERVICES, OF_OPS = ROOT / "deploy/Dockerfile", ROOT / "deploy/ops/Dockerfile"
dry = pytest.mark.skipif("IMAGES" not in os.environ, reason="takes minutes and the network: make images-dry")


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_copied_is_there(service: str) -> None:
    for source, _ in [*copied(OF_SERVICES, {"SERVICE": service}), *copied(OF_OPS, {})]:
        assert source.exists(), source


@pytest.mark.parametrize("dockerfile", [OF_SERVICES, OF_OPS], ids=["services", "ops"])
def test_only_what_was_installed_is_in_the_image(dockerfile: Path) -> None:
    stages = [index for index, (name, _) in enumerate(instructions(dockerfile)) if name == "FROM"]
    last = instructions(dockerfile)[stages[-1] :]
    assert [rest for name, rest in last if name == "COPY"] == ["--from=build /opt/venv /opt/venv"]
    assert [name for name, _ in last if name == "RUN"] == []


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Image]:
    return lambda service: Image(OF_SERVICES, tmp_path_factory.mktemp(service), SERVICE=service)


@dry
@pytest.mark.stack
@pytest.mark.timeout(3_600)
def test_the_system_runs_from_its_images(
    stack: Stack, image: Callable[[str], Image], as_role: Any, connect: Any, sandbox: Any, record_property: Any
) -> None:
    images = {service: image(service) for service in SERVICES}
    usual = {service: stack.process(service).command for service in SERVICES}
    try:
        for service, built in images.items():
            ours = {name for name in built.packages() if name.startswith("social-")}
            others = {f"social-{each}" for each in SERVICES if each != service}
            record_property(service, len(built.packages()))
            assert f"social-{service}" in ours
            assert not ours & others, f"{service} has packages of its siblings"
            process = stack.process(service)
            told = {**process.environment, **built.environment}
            process.command = ("env", "-i", *(f"{name}={value}" for name, value in told.items()), *built.entrypoint)
        for service in SERVICES:
            stack.process(service).restart()
        client = as_role("content_manager", "tenant_images")
        account = connect(client.tenant, "twitter")
        target = {"platform": "twitter", "account_id": account.id}
        body = {"content": {"text": "from images"}, "platforms": [target]}
        post_id = client.post("/publish", body, status=201)["post_id"]
        client.settled(post_id, "published")
        assert [post["text"] for post in sandbox.live(account)] == ["from images"]
    finally:
        for service in SERVICES:
            stack.process(service).command = usual[service]
            stack.process(service).restart()


@dry
@pytest.mark.timeout(1_200)
def test_the_operators_command_runs_from_its_image(tmp_path: Path) -> None:
    built = Image(OF_OPS, tmp_path)
    asked = subprocess.run(
        [*built.entrypoint, "--help"], env=built.environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0, asked.stderr
    assert "usage" in asked.stdout
