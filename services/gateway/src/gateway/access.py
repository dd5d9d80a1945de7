"""The policy as a page that people review: every route, every role."""

from collections.abc import Mapping

from gateway.policy import POLICY, PUBLIC, ROLES, Roles

RENEW = "python -m gateway access > docs/access.md"

_INTRODUCTION = f"""\
# Who may do what

Written from the gateway's policy by `{RENEW}`.
A test fails while the two differ, so that nobody is let in without somebody having read it here; a route that is not in
the policy cannot be served at all.

A token names one tenant, and nothing of another can be reached with it, whatever the role: ids of other tenants are
answered as if they had never existed. A token with several roles may do what any of them may. What is public needs no
token: it shows nothing of any tenant, or the address itself is the proof (that of a file is signed and expires; that
of a person who comes back from a platform works once).

"""


def page(policy: Mapping[tuple[str, str], Roles] = POLICY) -> str:
    """In Markdown."""
    rows = [["method", "path", *(role.replace("_", " ") for role in ROLES)], ["---", "---", *(":-:" for _ in ROLES)]]
    for (method, path), roles in sorted(policy.items(), key=lambda route: (route[0][1], route[0][0])):
        allowed = ["public"] * len(ROLES) if roles == PUBLIC else ["yes" if role in roles else "" for role in ROLES]
        rows.append([method, f"`{path}`", *allowed])
    return _INTRODUCTION + "".join(f"| {' | '.join(row)} |\n" for row in rows)
