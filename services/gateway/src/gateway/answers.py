"""What a handler answers, before it is an HTTP response: a value that can be stored and given again."""

from collections.abc import Mapping

import msgspec
from litestar import Response
from msgspec import Struct, structs

from gateway.problems import MEDIA_TYPE, ProblemError

JSON = "application/json"


class Answer(Struct, frozen=True, kw_only=True):
    status: int
    body: bytes = b""
    media_type: str = JSON
    headers: dict[str, str] = {}
    kept_body: bytes | None = None
    """What repeats of the request get, when not all of the body may be kept."""

    def keeping(self, view: Struct) -> "Answer":
        """The same, but only this of it is kept."""
        return structs.replace(self, kept_body=msgspec.json.encode(view))

    def kept(self) -> "Answer":
        return self if self.kept_body is None else structs.replace(self, body=self.kept_body, kept_body=None)

    def response(self) -> Response[bytes]:
        return Response(self.body, status_code=self.status, headers=self.headers, media_type=self.media_type)


def answer(view: Struct, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=status, body=msgspec.json.encode(view), headers=dict(headers or {}))


NO_CONTENT = Answer(status=204)


def problem(error: ProblemError, *, request_id: str, trace_id: str) -> Answer:
    return Answer(
        status=error.status,
        body=error.body(request_id=request_id, trace_id=trace_id),
        media_type=MEDIA_TYPE,
        headers=error.headers,
    )
