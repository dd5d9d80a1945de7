"""Whether a time may be scheduled, and which instant it is. Pure."""

from datetime import datetime, timedelta

from contracts.content import Schedule
from contracts.time_zones import instant_of
from gateway.problems import FieldError, invalid_content

PAST_GRACE = timedelta(seconds=60)
"""A time that has just passed is published at once; clients' clocks differ, and requests take time."""
HORIZON = timedelta(days=731)


def scheduled(at: datetime, timezone: str | None, *, now: datetime, pointer: str) -> tuple[Schedule, tuple[str, ...]]:
    """The schedule, and what the creator should know about it where clocks change.

    `pointer` is where the time stands in the body; its zone stands beside it as `timezone`. Raises ProblemError.
    """
    try:
        instant, note = instant_of(at, timezone)
    except OverflowError as error:
        raise invalid_content(
            FieldError(pointer=pointer, rule="schedule.range", message="There is no such time.", actual=at.isoformat())
        ) from error
    except ValueError as error:
        reason = str(error)
        raise invalid_content(
            FieldError(
                pointer=pointer if timezone is None else "/timezone",
                rule="schedule.timezone",
                message=f"{reason[:1].upper()}{reason[1:]}.",
                actual=timezone,
                remediation="Give an IANA time zone, such as Europe/Paris, or a time with its offset.",
            )
        ) from error
    if instant < now - PAST_GRACE:
        raise invalid_content(
            FieldError(
                pointer=pointer,
                rule="schedule.past",
                message="The time has passed.",
                limit=now.isoformat(),
                actual=instant.isoformat(),
                remediation="Choose a time to come, or leave it out to publish now.",
            )
        )
    if instant > now + HORIZON:
        raise invalid_content(
            FieldError(
                pointer=pointer,
                rule="schedule.too_far",
                message="The time is more than two years ahead.",
                limit=(now + HORIZON).isoformat(),
                actual=instant.isoformat(),
                remediation="Choose an earlier time.",
            )
        )
    return Schedule(at=instant, timezone=timezone), () if note is None else (note,)
