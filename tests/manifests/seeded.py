"""For every alert: series that are to wake somebody, and series that are not to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

Series = Sequence[tuple[str, str]]
"""Names with labels; values a minute apart in promtool's words: `0+1x30` is 0, 1, … 30; `_x5` is five times none."""


class Case(Struct, frozen=True, kw_only=True):
    alert: str
    at: str
    fires: Series
    quiet: Series
    labels: str = ""
    """Of the one rule that is meant, where several have this name."""
    says: str = ""


def histogram(name: str, labels: str, counts: dict[str, str]) -> Series:
    """Its buckets by their bounds, and its count."""
    inner = f"{labels}," if labels else ""
    buckets = [(f'{name}_bucket{{{inner}le="{bound}"}}', values) for bound, values in counts.items()]
    return [*buckets, (f"{name}_count{{{labels}}}", counts["+Inf"])]


def cases() -> Iterator[Case]:
    yield from _invariants()
    yield from _services()
    yield from _log()
    yield from _publisher()
    yield from _others()
    yield from _objectives()


def _invariants() -> Iterator[Case]:
    yield Case(
        alert="DuplicateDetected",
        says="as the auditor sees it",
        at="7m",
        fires=[('auditor_imbalance{kind="duplicate"}', "0x5 1x5")],
        quiet=[('auditor_imbalance{kind="duplicate"}', "0x10"), ('auditor_imbalance{kind="stuck"}', "1x10")],
    )
    yield Case(
        alert="DuplicateDetected",
        says="the first one of a publisher",
        at="7m",
        fires=[('publisher_duplicates_total{platform="twitter"}', "_x5 1x5")],
        quiet=[('publisher_attempts_total{platform="twitter",outcome="published"}', "_x5 1x5")],
    )
    yield Case(
        alert="DuplicateDetected",
        says="one more of a publisher",
        at="130m",
        fires=[('publisher_duplicates_total{platform="twitter"}', "3x120 4x20")],
        quiet=[('publisher_duplicates_total{platform="twitter"}', "3x140")],
    )
    yield Case(
        alert="AuditorImbalance",
        at="10m",
        fires=[('auditor_imbalance{kind="overdue"}', "0x3 1x10")],
        quiet=[('auditor_imbalance{kind="overdue"}', "0x20"), ('auditor_imbalance{kind="duplicate"}', "1x20")],
    )
    yield Case(
        alert="SecretDoesNotOpen",
        at="10m",
        fires=[('sealing_refused_total{job="publisher"}', "0x5 1x10")],
        quiet=[('sealing_refused_total{job="publisher"}', "2x20")],
    )
    yield Case(
        alert="AuditorBehind",
        at="25m",
        fires=[("auditor_behind_seconds", "700x30")],
        quiet=[("auditor_behind_seconds", "700x5 0x30")],
    )
    yield Case(
        alert="OutcomeUnknownForLong",
        at="5m",
        fires=[("auditor_oldest_unknown_seconds", "26000x10")],
        quiet=[("auditor_oldest_unknown_seconds", "21700x10")],
    )


def _services() -> Iterator[Case]:
    for job in ("gateway", "posts", "publisher", "media", "analytics", "webhooks", "auditor"):
        yield Case(
            alert="ServiceDown",
            labels=f'job="{job}"',
            at="32m",
            fires=[(f'up{{job="{job}",pod="a"}}', "0x40")],
            quiet=[(f'up{{job="{job}",pod="a"}}', "0x40"), (f'up{{job="{job}",pod="b"}}', "1x40")],
        )
    yield Case(
        alert="InstanceDown",
        at="12m",
        fires=[('up{job="posts",pod="a"}', "0x20"), ('up{job="posts",pod="b"}', "1x20")],
        quiet=[('up{job="posts",pod="a"}', "0x5 1x20"), ('up{job="elsewhere",pod="a"}', "0x20")],
    )


def _log() -> Iterator[Case]:
    yield Case(
        alert="PostsOverdue",
        at="6m",
        fires=[('eventlog_oldest_overdue_seconds{aggregate="posts",partition="3"}', "0x2 40x10")],
        quiet=[
            ('eventlog_oldest_overdue_seconds{aggregate="posts",partition="3"}', "40 0x10"),
            ('eventlog_oldest_overdue_seconds{aggregate="media",partition="3"}', "40x10"),
        ],
    )
    yield Case(
        alert="DeadLetter",
        says="the first one",
        at="8m",
        fires=[('eventlog_dead_letters_total{topic="posts.commands"}', "_x5 1x10")],
        quiet=[],
    )
    yield Case(
        alert="DeadLetter",
        says="one more",
        at="65m",
        fires=[('eventlog_dead_letters_total{topic="posts.commands"}', "1x60 2x10")],
        quiet=[('eventlog_dead_letters_total{topic="posts.commands"}', "1x70")],
    )
    owned = [(f'eventlog_oldest_overdue_seconds{{aggregate="posts",partition="{n}"}}', "0x60") for n in range(2)]
    yield Case(
        alert="PartitionsChangeHands",
        at="45m",
        fires=[*owned, ('eventlog_takeovers_total{aggregate="posts"}', "0+1x60")],
        quiet=[*owned, ('eventlog_takeovers_total{aggregate="posts"}', "0x20 2x40")],
    )
    yield Case(
        alert="TwoWriters",
        at="30m",
        fires=[('eventlog_gaps_total{aggregate="posts"}', "0+2x40")],
        quiet=[('eventlog_gaps_total{aggregate="posts"}', "0x10 2x30")],
    )
    yield Case(
        alert="LagGrows",
        at="45m",
        fires=[('kafka_consumergroup_lag{consumergroup="posts",topic="t",partition="0"}', "6000+100x60")],
        quiet=[('kafka_consumergroup_lag{consumergroup="posts",topic="t",partition="0"}', "12000-100x60")],
    )


def _publisher() -> Iterator[Case]:
    def attempts(values: dict[str, str]) -> Series:
        return [
            (f'publisher_attempts_total{{platform="twitter",outcome="{outcome}"}}', each)
            for outcome, each in values.items()
        ]

    waiting = ('kafka_consumergroup_lag{consumergroup="publisher",topic="t",partition="0"}', "5x40")
    yield Case(
        alert="PublishingStalled",
        at="25m",
        fires=[waiting],
        quiet=[waiting, *attempts({"published": "0+1x40"})],
    )
    unknown = ('publisher_unknown_total{platform="twitter"}', "0+1x40")
    yield Case(
        alert="PublishingDoubtful",
        at="30m",
        fires=[unknown, *attempts({"published": "0+5x40"})],
        quiet=[unknown, *attempts({"published": "0+100x40"})],
    )
    yield Case(
        alert="TargetHeld",
        at="125m",
        fires=attempts({"held": "_x120 1x10"}),
        quiet=attempts({"held": "4x130"}),
    )
    yield Case(
        alert="PlatformRefuses",
        at="30m",
        fires=attempts({"rejected": "0+2x40", "published": "0+1x40"}),
        quiet=attempts({"rejected": "0+1x40", "published": "0+2x40"}),
    )
    slow = {"5.0": "0x60", "7.5": "0x60", "10.0": "0+10x60", "+Inf": "0+10x60"}
    quick = {"5.0": "0+10x60", "7.5": "0+10x60", "10.0": "0+10x60", "+Inf": "0+10x60"}
    yield Case(
        alert="PlatformSlow",
        at="45m",
        fires=histogram("publisher_platform_call_seconds", 'platform="twitter",call="create_post"', slow),
        quiet=[
            *histogram("publisher_platform_call_seconds", 'platform="twitter",call="create_post"', quick),
            *histogram("publisher_platform_call_seconds", 'platform="youtube",call="upload_chunk"', slow),
        ],
    )
    yield Case(
        alert="BudgetExhausted",
        at="120m",
        fires=[
            ('publisher_budget_deferrals_total{platform="twitter"}', "0+6x180"),
            *attempts({"deferred": "0+6x180", "published": "0+4x180"}),
        ],
        quiet=[
            ('publisher_budget_deferrals_total{platform="twitter"}', "0+1x180"),
            *attempts({"deferred": "0+1x180", "published": "0+9x180"}),
        ],
    )
    yield Case(
        alert="TokenRenewalsFail",
        at="40m",
        fires=[('publisher_token_renewals_failing{platform="twitter"}', "1x60")],
        quiet=[('publisher_token_renewals_failing{platform="twitter"}', "1x10 0x60")],
    )
    failed = ('publisher_token_renewals_total{platform="twitter",outcome="failed"}', "0+1x60")
    yield Case(
        alert="TokenRenewalsFailEverywhere",
        at="50m",
        fires=[failed],
        quiet=[failed, ('publisher_token_renewals_total{platform="twitter",outcome="renewed"}', "0+1x60")],
    )


def _others() -> Iterator[Case]:
    yield Case(
        alert="GatewayFull",
        at="5m",
        fires=[('gateway_commands_in_flight{pod="a"}', "1700x10")],
        quiet=[('gateway_commands_in_flight{pod="a"}', "1500x10")],
    )
    crashed = ('media_decoders_ended_total{how="crash"}', "0+1x60")
    yield Case(
        alert="DecodersDie",
        at="50m",
        fires=[crashed, ('media_decoders_ended_total{how="done"}', "0+1x60")],
        quiet=[crashed, ('media_decoders_ended_total{how="done"}', "0+10x60")],
    )
    yield Case(
        alert="MediaSlow",
        at="60m",
        fires=histogram("media_job_seconds", 'task="look"', {"300.0": "0x90", "1800.0": "0+10x90", "+Inf": "0+10x90"}),
        quiet=histogram(
            "media_job_seconds", 'task="look"', {"300.0": "0+10x90", "1800.0": "0+10x90", "+Inf": "0+10x90"}
        ),
    )
    yield Case(
        alert="ReadingsOverdue",
        at="20m",
        fires=[("analytics_oldest_overdue_seconds", "1000x30")],
        quiet=[("analytics_oldest_overdue_seconds", "300x30")],
    )
    yield Case(
        alert="SamplesLate",
        at="45m",
        fires=histogram("analytics_sample_age_seconds", "", {"60.0": "0x60", "300.0": "0+10x60", "+Inf": "0+10x60"}),
        quiet=histogram("analytics_sample_age_seconds", "", {"60.0": "0+10x60", "300.0": "0+10x60", "+Inf": "0+10x60"}),
    )
    yield Case(
        alert="WebhooksFail",
        at="30m",
        fires=[
            ('webhooks_attempts_total{outcome="5xx"}', "0+10x40"),
            ('webhooks_attempts_total{outcome="2xx"}', "0+5x40"),
        ],
        quiet=[
            ('webhooks_attempts_total{outcome="5xx"}', "0+5x40"),
            ('webhooks_attempts_total{outcome="2xx"}', "0+10x40"),
        ],
    )
    yield Case(
        alert="EndpointsDisabled",
        at="30m",
        fires=[('webhooks_endpoints_disabled_total{reason="gone"}', "0x10 12x30")],
        quiet=[('webhooks_endpoints_disabled_total{reason="gone"}', "0x10 5x30")],
    )


def _objectives() -> Iterator[Case]:
    """Half of all is bad, or nothing, or two of four, which is no reason to wake anybody."""
    lateness = 'publish_lateness_seconds_{}{{platform="twitter"{}}}'
    delay = "webhooks_first_attempt_delay_seconds_{}{}"
    request = 'gateway_request_seconds_{}{{route="/posts",method="POST"{}}}'
    counted = 'gateway_requests_total{{route="/posts",method="POST",status="{}"}}'
    for burn in ("14.4", "6", "1"):
        for alert, good, bad_or_all, all_is_total in (
            ("PublishingLate", lateness.format("bucket", ',le="30.0"'), lateness.format("count", ""), True),
            ("ApiSlow", request.format("bucket", ',le="0.5"'), request.format("count", ""), True),
            ("ApiErrors", counted.format("2xx"), counted.format("5xx"), False),
            ("WebhooksLate", delay.format("bucket", '{le="5.0"}'), delay.format("count", ""), True),
        ):
            everything, half, few = ("0+20x90", "0+10x90", "0x30 2x60")
            yield Case(
                alert=alert,
                labels=f'burn="{burn}"',
                at="75m",
                fires=[(good, half), (bad_or_all, everything if all_is_total else half)],
                quiet=[(good, everything), (bad_or_all, everything if all_is_total else "0x90")],
            )
            yield Case(
                alert=alert,
                labels=f'burn="{burn}"',
                says="not for a few",
                at="75m",
                fires=[],
                quiet=[(good, few), (bad_or_all, "0x30 4x60" if all_is_total else few)],
            )
