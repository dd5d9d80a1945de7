"""Who may do what. A route that is not in this table does not exist: the gateway refuses to start with one."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

BASE = "/api/v1/creator/social"

ROLES = (
    "creator",
    "content_manager",
    "manager",
    "tenant_admin",
    "platform_admin",
    "system_admin",
    "super_admin",
)

Roles = frozenset[str]
PUBLIC: Roles = frozenset()
"""No token needed."""
EVERY_ROLE: Roles = frozenset(ROLES)

MANAGERS: Roles = frozenset(ROLES) - {"creator", "content_manager"}
"""Who decides where a tenant's events are sent."""
EDITORS: Roles = frozenset(ROLES) - {"creator"}

EVENT_STREAM = f"{BASE}/events/stream"
ANALYTICS_STREAM = f"{BASE}/analytics/stream"
MEDIA_FILE = f"{BASE}/media/files/{{token}}/{{name}}"

STREAMED = frozenset(
    (
        ("POST", f"{BASE}/media/upload"),
        ("PATCH", f"{BASE}/media/uploads/{{upload_id}}"),
        ("GET", EVENT_STREAM),
        ("GET", ANALYTICS_STREAM),
    )
)
"""Whose bodies are not read by the middleware: handlers take them as they come, and learn when the client leaves."""

POLICY: Mapping[tuple[str, str], Roles] = MappingProxyType(
    {
        ("POST", f"{BASE}/publish"): EVERY_ROLE,
        ("GET", f"{BASE}/publish/{{publish_id}}"): EVERY_ROLE,
        ("POST", f"{BASE}/posts"): EVERY_ROLE,
        ("GET", f"{BASE}/posts"): EVERY_ROLE,
        ("POST", f"{BASE}/posts/validate"): EVERY_ROLE,
        ("GET", f"{BASE}/posts/{{post_id}}"): EVERY_ROLE,
        ("PUT", f"{BASE}/posts/{{post_id}}"): EVERY_ROLE,
        ("DELETE", f"{BASE}/posts/{{post_id}}"): EVERY_ROLE,
        ("POST", f"{BASE}/posts/{{post_id}}/publish"): EVERY_ROLE,
        ("POST", f"{BASE}/posts/{{post_id}}/schedule"): EVERY_ROLE,
        ("POST", f"{BASE}/posts/{{post_id}}/cancel"): EVERY_ROLE,
        ("POST", f"{BASE}/posts/{{post_id}}/targets/{{target_id}}/resolve"): EVERY_ROLE,
        ("GET", f"{BASE}/posts/{{post_id}}/history"): EVERY_ROLE,
        ("GET", f"{BASE}/posts/{{post_id}}/analytics"): EVERY_ROLE,
        ("POST", f"{BASE}/posts/{{post_id}}/analytics/refresh"): EVERY_ROLE,
        ("GET", ANALYTICS_STREAM): EVERY_ROLE,
        ("GET", f"{BASE}/distribution/metrics"): EVERY_ROLE,
        ("GET", f"{BASE}/scheduling/optimal-times"): EVERY_ROLE,
        ("GET", f"{BASE}/posts/{{post_id}}/commands/{{command_id}}"): EVERY_ROLE,
        ("POST", f"{BASE}/threads"): EVERY_ROLE,
        ("GET", f"{BASE}/threads/{{thread_id}}"): EVERY_ROLE,
        ("GET", f"{BASE}/scheduling/queue"): EVERY_ROLE,
        ("GET", f"{BASE}/accounts"): EVERY_ROLE,
        ("GET", f"{BASE}/accounts/{{account_id}}"): EVERY_ROLE,
        ("DELETE", f"{BASE}/accounts/{{account_id}}"): EVERY_ROLE,
        ("POST", f"{BASE}/accounts/{{account_id}}/refresh"): EVERY_ROLE,
        ("POST", f"{BASE}/accounts/connect"): EVERY_ROLE,
        ("POST", f"{BASE}/accounts/connect/complete"): EVERY_ROLE,
        ("POST", f"{BASE}/accounts/connect/select"): EVERY_ROLE,
        # Whoever comes back from a platform has no token; what they bring works once.
        ("GET", f"{BASE}/accounts/callback/{{platform}}"): PUBLIC,
        ("POST", f"{BASE}/accounts/callback/{{platform}}"): PUBLIC,
        ("POST", f"{BASE}/media/upload"): EVERY_ROLE,
        ("POST", f"{BASE}/media/import"): EVERY_ROLE,
        ("POST", f"{BASE}/media/uploads"): EVERY_ROLE,
        ("HEAD", f"{BASE}/media/uploads/{{upload_id}}"): EVERY_ROLE,
        ("PATCH", f"{BASE}/media/uploads/{{upload_id}}"): EVERY_ROLE,
        ("DELETE", f"{BASE}/media/uploads/{{upload_id}}"): EVERY_ROLE,
        ("GET", f"{BASE}/media"): EVERY_ROLE,
        ("GET", f"{BASE}/media/{{media_id}}"): EVERY_ROLE,
        ("DELETE", f"{BASE}/media/{{media_id}}"): EVERY_ROLE,
        ("POST", f"{BASE}/media/{{media_id}}/variants"): EVERY_ROLE,
        # Platforms fetch from here, without a token: the address itself is signed, and expires.
        ("GET", MEDIA_FILE): PUBLIC,
        ("HEAD", MEDIA_FILE): PUBLIC,
        ("POST", f"{BASE}/webhooks"): MANAGERS,
        ("GET", f"{BASE}/webhooks"): EDITORS,
        ("GET", f"{BASE}/webhooks/{{webhook_id}}"): EDITORS,
        ("PUT", f"{BASE}/webhooks/{{webhook_id}}"): MANAGERS,
        ("DELETE", f"{BASE}/webhooks/{{webhook_id}}"): MANAGERS,
        ("POST", f"{BASE}/webhooks/{{webhook_id}}/enable"): MANAGERS,
        ("POST", f"{BASE}/webhooks/{{webhook_id}}/disable"): MANAGERS,
        ("POST", f"{BASE}/webhooks/{{webhook_id}}/rotate-secret"): MANAGERS,
        ("POST", f"{BASE}/webhooks/{{webhook_id}}/test"): MANAGERS,
        ("POST", f"{BASE}/webhooks/{{webhook_id}}/replay"): MANAGERS,
        ("POST", f"{BASE}/webhooks/{{webhook_id}}/recover"): MANAGERS,
        ("GET", f"{BASE}/webhooks/{{webhook_id}}/deliveries"): EDITORS,
        ("GET", f"{BASE}/webhooks/{{webhook_id}}/deliveries/{{delivery_id}}"): EDITORS,
        ("POST", f"{BASE}/webhooks/{{webhook_id}}/deliveries/{{delivery_id}}/replay"): MANAGERS,
        ("GET", f"{BASE}/events"): EVERY_ROLE,
        ("GET", EVENT_STREAM): EVERY_ROLE,
        ("GET", "/docs"): PUBLIC,
        ("GET", "/docs/events"): PUBLIC,
        ("GET", "/asyncapi.json"): PUBLIC,
        ("GET", "/docs/{asset}"): PUBLIC,
        ("GET", "/openapi.json"): PUBLIC,
        ("GET", "/livez"): PUBLIC,
    }
)


class UnguardedRouteError(Exception):
    """A route without a policy, or a policy without a route."""


def check_complete(routes: Iterable[tuple[str, str]]) -> None:
    """Raises UnguardedRouteError unless policies and (method, path template) pairs are the same."""
    served = set(routes)
    if served != set(POLICY):
        raise UnguardedRouteError(
            f"without a policy: {sorted(served - set(POLICY))}; without a route: {sorted(set(POLICY) - served)}"
        )


class Route:
    """A path template with what each of its methods asks for."""

    def __init__(self, template: str) -> None:
        self.template = template
        self.methods: dict[str, Roles] = {}


class _Node:
    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.route: Route | None = None


class RouteTable:
    """Finds the policy of a path. Literal segments win over parameters, as in the router behind."""

    def __init__(self, policy: Mapping[tuple[str, str], Roles] = POLICY) -> None:
        self._root = _Node()
        for (method, template), roles in policy.items():
            node = self._root
            for segment in template.split("/")[1:]:
                if segment.startswith("{"):
                    node.parameter = node.parameter or _Node()
                    node = node.parameter
                else:
                    node = node.literal.setdefault(segment, _Node())
            node.route = node.route or Route(template)
            node.route.methods[method] = roles

    def find(self, path: str) -> Route | None:
        return self._find(self._root, path.split("/")[1:])

    def _find(self, node: _Node, segments: list[str]) -> Route | None:
        if not segments:
            return node.route
        first, rest = segments[0], segments[1:]
        if (literal := node.literal.get(first)) is not None and (found := self._find(literal, rest)) is not None:
            return found
        if node.parameter is None or not first:
            return None
        return self._find(node.parameter, rest)
