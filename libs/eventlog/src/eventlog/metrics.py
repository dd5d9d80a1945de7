"""What an owner counts. Labels are bounded: aggregate kinds and partition numbers."""

from contextlib import suppress

from prometheus_client import Counter, Gauge

COMMANDS = Counter("eventlog_commands_total", "Commands decided", ["aggregate"])
EVENTS = Counter("eventlog_events_total", "Events accepted and settled", ["aggregate"])
REDELIVERIES = Counter("eventlog_redeliveries_total", "Commands recognised as already decided", ["aggregate"])
GAPS = Counter("eventlog_gaps_total", "Appends that found another writer's records", ["aggregate"])
TAKEOVERS = Counter("eventlog_takeovers_total", "Partitions taken over", ["aggregate"])
DEAD_LETTERS = Counter("eventlog_dead_letters_total", "Messages nobody could read", ["topic"])
OLDEST_OVERDUE = Gauge(
    "eventlog_oldest_overdue_seconds", "Age of the oldest due entry not yet decided", ["aggregate", "partition"]
)


def forget(aggregate: str, partition: int) -> None:
    """Of a partition that somebody else owns now."""
    with suppress(KeyError):
        OLDEST_OVERDUE.remove(aggregate, str(partition))
