"""X's error bodies, as recorded from production."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandbox.web import RefusedError, Response, as_json

_TITLES = {
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    413: "Payload Too Large",
    429: "Too Many Requests",
}
NOT_PERMITTED = "You are not permitted to perform this action."
DUPLICATE = "You are not allowed to create a Tweet with duplicate content."


class Problems:
    """Builds error answers. ``host`` is the host of problem types: X changed it with spec 2.167."""

    def __init__(self, host: str) -> None:
        self._base = f"https://{host}/2/problems/"

    def type(self, name: str) -> str:
        return self._base + name

    def plain(self, status: int, detail: str | None = None) -> RefusedError:
        """A problem without a type of its own."""
        title = _TITLES[status]
        return RefusedError(
            as_json(status, {"title": title, "detail": detail or title, "type": "about:blank", "status": status})
        )

    def invalid(self, message: str, parameters: Mapping[str, Sequence[str]] | None = None) -> RefusedError:
        """400: a parameter or a member of the body is wrong."""
        return RefusedError(
            as_json(
                400,
                {
                    "errors": [{"parameters": parameters or {}, "message": message}],
                    "title": "Invalid Request",
                    "detail": "One or more parameters to your request was invalid.",
                    "type": self.type("invalid-request"),
                },
            )
        )

    def not_found(self, resource: str, parameter: str, value: str) -> dict[str, str]:
        """An entry of ``errors`` in an otherwise successful answer."""
        many = "ids" if parameter == "ids" else "id"
        return {
            "value": value,
            "detail": f"Could not find {resource} with {many}: [{value}].",
            "title": "Not Found Error",
            "resource_type": resource,
            "parameter": parameter,
            "resource_id": value,
            "type": self.type("resource-not-found"),
        }

    def field_not_authorized(self, post_id: str, field: str) -> dict[str, str]:
        """An entry of ``errors``: a metric that only the author may read."""
        return {
            "resource_id": post_id,
            "parameter": field.partition(".")[0],
            "resource_type": "tweet",
            "section": "data",
            "title": "Field Authorization Error",
            "value": post_id,
            "detail": f"Sorry, you are not authorized to access '{field}' on the Tweet with id : [{post_id}].",
            "field": field,
            "type": self.type("not-authorized-for-field"),
        }

    def unsupported_authentication(self) -> RefusedError:
        """403: the bearer is not a user's token."""
        return RefusedError(
            as_json(
                403,
                {
                    "title": "Unsupported Authentication",
                    "detail": "Authenticating with Unknown is forbidden for this endpoint.  Supported authentication "
                    "types are [OAuth 1.0a User Context, OAuth 2.0 User Context].",
                    "type": self.type("unsupported-authentication"),
                    "status": 403,
                },
            )
        )

    def credits_depleted(self) -> RefusedError:
        """402: the app has no credits left."""
        return RefusedError(
            as_json(
                402,
                {
                    "title": "Payment Required",
                    "detail": "credits depleted",
                    "type": self.type("credits-depleted"),
                    "status": 402,
                },
            )
        )


def oauth_error(description: str, error: str = "invalid_request", status: int = 400) -> RefusedError:
    return RefusedError(as_json(status, {"error": error, "error_description": description}))


def unknown_path() -> Response:
    return as_json(404, {"title": "Not Found", "detail": "Not Found", "type": "about:blank", "status": 404})
