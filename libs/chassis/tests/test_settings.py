"""Settings come from the environment, by their names in capitals."""

import pytest
from pydantic import ValidationError

from chassis.settings import KafkaSettings, ServiceSettings


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


SECRET, CA = "/run/kafka/password", "/run/kafka/ca.crt"


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"kafka_security_protocol": "SSL"},
        {"kafka_security_protocol": "SSL", "kafka_ca_file": CA, "kafka_cert_file": "/c", "kafka_key_file": "/k"},
        {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_username": "posts", "kafka_sasl_password_file": SECRET},
        {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_sasl_username": "u", "kafka_sasl_password_file": SECRET},
    ],
)
def test_kafka_is_reached_in_any_of_its_ways(told: dict[str, str]) -> None:
    settings = KafkaSettings.model_validate({"kafka_bootstrap": "kafka:9093", **told})
    assert settings.kafka_encrypted == told.get("kafka_security_protocol", "").endswith("SSL")


@pytest.mark.parametrize(
    "told",
    [
        {"kafka_ca_file": CA},
        {"kafka_sasl_username": "posts", "kafka_sasl_password_file": SECRET},
        {"kafka_security_protocol": "SASL_SSL"},
        {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_username": "posts"},
        {"kafka_security_protocol": "SSL", "kafka_sasl_username": "posts", "kafka_sasl_password_file": SECRET},
        {"kafka_security_protocol": "SSL", "kafka_cert_file": "/c"},
        {
            "kafka_security_protocol": "SASL_PLAINTEXT",
            "kafka_sasl_username": "posts",
            "kafka_sasl_password_file": SECRET,
            "kafka_ca_file": CA,
        },
        {"kafka_security_protocol": "TLS"},
        {"kafka_static_session": "1"},
    ],
)
def test_settings_that_would_not_be_used_are_refused(told: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        KafkaSettings.model_validate({"kafka_bootstrap": "kafka:9093", **told})
