"""Appending what analytics has to say: public events, samples of its own, and requests to the publisher."""

from collections.abc import Sequence
from datetime import UTC, datetime

from analytics.ports import Announcement
from chassis import tracing
from contracts.messages import Message
from contracts.wire import Envelope, pack
from eventlog.kafka import KafkaEventLog
from eventlog.ports import Outgoing


class KafkaAnnouncer:
    """`analytics.ports.Announcer`. Raises eventlog.ports.AppendFailedError when it is not known to be durable."""

    def __init__(self, log: KafkaEventLog, source: str) -> None:
        self._log = log
        self._source = source

    async def announce(self, announcements: Sequence[Announcement]) -> None:
        await self._log.publish([self._outgoing(each, each.message) for each in announcements])

    def _outgoing(self, announcement: Announcement, message: Message) -> Outgoing:
        envelope = Envelope(
            id=announcement.id,
            source=self._source,
            subject=announcement.key,
            time=datetime.now(UTC),
            tenant_id=announcement.tenant_id,
            traceparent=tracing.current(),
        )
        headers, value = pack(message, envelope)
        return Outgoing(topic=announcement.topic, key=announcement.key, headers=headers, value=value)
