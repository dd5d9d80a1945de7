"""Who the token belongs to, and the pages they manage."""

from __future__ import annotations

from sandbox.accounts import Account
from sandbox.linkedin.errors import error, not_found
from sandbox.linkedin.restli import bad_query
from sandbox.linkedin.state import Caller, State, require_any
from sandbox.web import Request, Response, as_json

_PAGE_SCOPES = ("rw_organization_admin", "r_organization_admin", "r_organization_social")


class Identity:
    """userinfo, me, organization roles and profiles, follower counts."""

    def __init__(self, state: State) -> None:
        self._state = state

    def userinfo(self, _request: Request, caller: Caller) -> Response:
        """OpenID Connect; the person's URN is ``urn:li:person:{sub}``."""
        require_any(caller, ("openid",), caller.permission("userinfo", "GET"))
        member = self._member(caller)
        answer: dict[str, object] = {"sub": _bare_id(member)}
        if "profile" in caller.token.scopes:
            first, last = _names(member)
            answer |= {
                "name": member.display_name,
                "given_name": first,
                "family_name": last,
                "picture": f"https://media.licdn.com/dms/image/{_bare_id(member)}",
                "locale": {"country": "US", "language": "en"} if self._state.settings.locale == "object" else "en-US",
            }
        if "email" in caller.token.scopes:
            answer |= {"email": f"{member.username}@example.com", "email_verified": True}
        return as_json(200, answer)

    def me(self, _request: Request, caller: Caller) -> Response:
        require_any(caller, ("r_basicprofile", "r_liteprofile"), caller.permission("me", "GET"))
        member = self._member(caller)
        first, last = _names(member)
        return as_json(
            200,
            {
                "id": _bare_id(member),
                "vanityName": member.username,
                "localizedFirstName": first,
                "localizedLastName": last,
                "localizedHeadline": "",
                "profilePicture": {"displayImage": f"urn:li:digitalmediaAsset:{_bare_id(member)}"},
            },
        )

    def roles(self, request: Request, caller: Caller) -> Response:
        """``organizationAcls?q=roleAssignee``"""
        permission = caller.permission("organizationAcls", "FINDER-roleAssignee")
        require_any(caller, ("rw_organization_admin", "r_organization_admin"), permission)
        if request.query.get("q") != "roleAssignee":
            raise bad_query()
        matches = (
            request.query.get("role", "ADMINISTRATOR") == "ADMINISTRATOR"
            and request.query.get("state", "APPROVED") == "APPROVED"
        )
        elements = [
            {
                "organization": page.id,
                "organizationTarget": page.id,
                "role": "ADMINISTRATOR",
                "roleAssignee": caller.token.member,
                "state": "APPROVED",
            }
            for page in self._state.pages_of(caller.token.member)
            if matches
        ]
        return as_json(
            200,
            {"paging": {"start": 0, "count": 10, "links": [], "total": len(elements)}, "elements": elements},
        )

    def organization(self, request: Request, caller: Caller) -> Response:
        require_any(caller, _PAGE_SCOPES, caller.permission("organizations", "GET"))
        page = self._page(f"urn:li:organization:{request.path_parameters['id']}")
        return as_json(
            200,
            {
                "id": int(_bare_id(page)),
                "$URN": page.id,
                "localizedName": page.display_name,
                "name": {
                    "localized": {"en_US": page.display_name},
                    "preferredLocale": {"country": "US", "language": "en"},
                },
                "vanityName": page.username,
            },
        )

    def network_size(self, request: Request, caller: Caller) -> Response:
        require_any(caller, _PAGE_SCOPES, caller.permission("networkSizes", "GET"))
        if request.query.get("edgeType") not in ("COMPANY_FOLLOWED_BY_MEMBER", "CompanyFollowedByMember"):
            raise bad_query()
        return as_json(200, {"firstDegreeSize": self._page(request.path_parameters["urn"]).followers})

    def follower_count(self, request: Request, caller: Caller) -> Response:
        """``memberFollowersCount?q=me``"""
        permission = caller.permission("memberFollowersCount", "FINDER-me")
        require_any(caller, ("r_member_profileAnalytics",), permission)
        if request.query.get("q") != "me":
            raise bad_query()
        elements = [{"memberFollowersCount": self._member(caller).followers}]
        return as_json(200, {"paging": {"start": 0, "count": 10, "links": []}, "elements": elements})

    def _member(self, caller: Caller) -> Account:
        member = self._state.world.accounts.get(caller.token.member)
        if member is None:
            raise error(401, "The member is no longer active", "INVALID_ACCESS_TOKEN", 65600)
        return member

    def _page(self, urn: str) -> Account:
        page = self._state.world.accounts.get(urn)
        if page is None or page.kind != "organization":
            raise not_found(urn)
        return page


def _bare_id(account: Account) -> str:
    return account.id.rpartition(":")[2]


def _names(member: Account) -> tuple[str, str]:
    first, _, last = member.display_name.partition(" ")
    return first, last
