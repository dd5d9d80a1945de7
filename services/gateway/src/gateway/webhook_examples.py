"""Examples of requests and answers about webhooks and events, for the description of the API."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Raw, Struct
from msgspec.structs import replace

from contracts.endpoints import Endpoint, SigningKey
from contracts.examples import ENDPOINT_ID, EXAMPLES, TENANT_ID
from contracts.ids import sibling
from contracts.messages import encode
from contracts.topics import POST_PUBLISHED
from contracts.webhooks import Attempt, Delivery, RangeReplayed
from gateway import webhook_views as views

DELIVERY_ID = sibling("msg", ENDPOINT_ID)

_AT = datetime(2026, 1, 24, 20, tzinfo=UTC)
_ENDPOINT = Endpoint(
    endpoint_id=ENDPOINT_ID,
    tenant_id=TENANT_ID,
    url="https://hooks.example.com/social",
    description="The newsroom",
    event_types=("social.post_published", "social.post_failed"),
    fifo=False,
    rate_per_second=None,
    max_in_flight=8,
    keys=(
        SigningKey(
            key_id=sibling("key", ENDPOINT_ID),
            public_key="whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            created_at=_AT,
        ),
    ),
    enabled_at=_AT,
    created_by="user_001",
    created_at=_AT,
    updated_at=_AT,
)
_DATA = Raw(encode(EXAMPLES[POST_PUBLISHED]))
_DELIVERY = Delivery(
    id=DELIVERY_ID,
    endpoint_id=ENDPOINT_ID,
    sequence=42,
    event_id=sibling("evt", ENDPOINT_ID),
    event_type=POST_PUBLISHED,
    event_time=_AT,
    status="delivered",
    attempts=2,
    next_attempt_at=None,
    created_at=_AT,
    data=_DATA,
    log=(
        Attempt(at=_AT, milliseconds=15_000, error="There was no answer in time."),
        Attempt(at=_AT + timedelta(seconds=20), milliseconds=87, status=204),
    ),
)
_TEST = replace(_DELIVERY, status="pending", attempts=0, next_attempt_at=_AT, log=())
_EVENT = views.EventView(
    id=_DELIVERY.event_id,
    type=POST_PUBLISHED,
    timestamp=_AT,
    subject="post_01KFSZ1V5R3W8Q6M2N7T4X9B0C",
    cursor="1207",
    data=_DATA,
)
_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazmbV3dx0Qk="  # noqa: S105  # an example, shown to everybody

REQUESTS: Mapping[str, Mapping[str, Any]] = {
    "createWebhook": {
        "some": {
            "url": _ENDPOINT.url,
            "description": _ENDPOINT.description,
            "event_types": list(_ENDPOINT.event_types),
        },
        "in order": {"url": "https://hooks.example.com/ledger", "fifo": True},
    },
    "updateWebhook": {"all types, slowly": {"event_types": [], "rate_per_second": 20}},
    "rotateWebhookSecret": {"at once": {"overlap_seconds": 0}, "within a day": {"overlap_seconds": 86_400}},
    "replayRange": {"an hour": {"since": "2026-01-24T19:00:00Z", "until": "2026-01-24T20:00:00Z"}},
    "recoverFailed": {"since": {"since": "2026-01-24T19:00:00Z"}},
}

ANSWERS: Mapping[str, Struct] = {
    "createWebhook": views.endpoint_with_secret(_ENDPOINT, _SECRET),
    "listWebhooks": views.EndpointsView(webhooks=(views.endpoint(_ENDPOINT),)),
    "getWebhook": views.endpoint(
        replace(
            _ENDPOINT,
            status="disabled",
            disabled_at=_AT,
            disable_reason="gone",
            disable_detail="The receiver answered 410: it wants nothing any more.",
        )
    ),
    "updateWebhook": views.endpoint(_ENDPOINT),
    "enableWebhook": views.endpoint(_ENDPOINT),
    "disableWebhook": views.endpoint(replace(_ENDPOINT, status="disabled", disabled_at=_AT, disable_reason="user")),
    "rotateWebhookSecret": views.endpoint_with_secret(_ENDPOINT, _SECRET),
    "testWebhook": views.delivery_detail(_TEST),
    "listDeliveries": views.deliveries((_DELIVERY,), limit=20),
    "getDelivery": views.delivery_detail(_DELIVERY),
    "replayDelivery": views.delivery_detail(_TEST),
    "replayRange": views.replayed(RangeReplayed(queued=218, after=None)),
    "recoverFailed": views.replayed(RangeReplayed(queued=2_000, after=3_407)),
    "listEvents": views.EventsView(events=(_EVENT,), cursor="1207", more=False),
    "streamEvents": _EVENT,
}
