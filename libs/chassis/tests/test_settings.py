"""Settings come from the environment, by their names in capitals."""

import pytest
from pydantic import ValidationError

from chassis.settings import ServiceSettings


def test_defaults_and_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "kafka:9092")
    monkeypatch.setenv("MONGODB_URI", "mongodb://store")
    monkeypatch.setenv("HEALTH_PORT", "8001")
    settings = ServiceSettings()
    assert (settings.kafka_bootstrap, settings.mongodb_database, settings.health_port) == ("kafka:9092", "social", 8001)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    monkeypatch.setenv("MONGODB_URI", "mongodb://store")
    with pytest.raises(ValidationError, match="kafka_bootstrap"):
        ServiceSettings()
