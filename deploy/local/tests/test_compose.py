"""The containers are told the same as the local stack, by the same names."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from localstack.keys import Keys
from localstack.services import SERVICES, environments
from localstack.settings import REPOSITORY, Settings
from localstack.testing import KAFKA_IMAGE, MONGODB_IMAGE


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
    return loaded


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_knows_the_same_variables(service: str, compose: dict[str, Any], tmp_path: Path) -> None:
    local = environments(Settings(), Keys.in_folder(tmp_path))[service]
    assert set(compose[service]["environment"]) == set(local)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_built_as_itself(service: str, compose: dict[str, Any]) -> None:
    build = compose[service]["build"]
    assert build["args"]["SERVICE"] == service
    assert (REPOSITORY / build["dockerfile"]).exists()


def test_tests_use_the_same_images(compose: dict[str, Any]) -> None:
    assert compose["kafka"]["image"] == KAFKA_IMAGE
    assert compose["mongodb"]["image"] == MONGODB_IMAGE


def test_topics_are_made_before_a_service_starts(compose: dict[str, Any]) -> None:
    for service in ("publisher", "posts", "gateway"):
        assert compose[service]["depends_on"]["topics"]["condition"] == "service_completed_successfully"
