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
        ("GET", f"{BASE}/posts/{{post_id}}/history"): EVERY_ROLE,
        ("GET", f"{BASE}/posts/{{post_id}}/commands/{{command_id}}"): EVERY_ROLE,
        ("POST", f"{BASE}/threads"): EVERY_ROLE,
        ("GET", f"{BASE}/threads/{{thread_id}}"): EVERY_ROLE,
        ("GET", f"{BASE}/scheduling/queue"): EVERY_ROLE,
        ("GET", f"{BASE}/accounts"): EVERY_ROLE,
        ("GET", "/docs"): PUBLIC,
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
