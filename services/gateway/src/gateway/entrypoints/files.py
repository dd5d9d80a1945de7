"""The files themselves, under signed addresses: for browsers, and for platforms that fetch what they publish."""

import re
from collections.abc import AsyncIterator

from litestar import HttpMethod, Response, route
from litestar.response import Stream

from gateway.calls import Gateway
from gateway.context import Req
from gateway.entrypoints.media import uploads_of
from gateway.policy import BASE
from gateway.problems import ProblemError
from gateway.receiving import storing
from gateway.uploads import Uploads
from objects.signing import Grant
from objects.store import ObjectNotFoundError

_RANGE = re.compile(r"bytes=(?P<first>\d{0,18})-(?P<last>\d{0,18})")


@route(
    f"{BASE}/media/files/{{token:str}}/{{name:str}}",
    http_method=[HttpMethod.GET, HttpMethod.HEAD],
    status_code=200,
)
async def get_file(request: Req) -> Response[bytes] | Stream:
    gateway: Gateway = request.app.state.gateway
    uploads = uploads_of(gateway)
    now = gateway.now()
    grant = uploads.signer.read(request.path_params["token"], request.path_params["name"], now=now)
    if grant is None:
        raise _gone()
    headers = {
        "content-type": grant.content_type,
        "cache-control": f"private, max-age={max(0, grant.expires - int(now.timestamp()))}, immutable",
        "content-disposition": f'inline; filename="{grant.name}"',
        "accept-ranges": "bytes",
        "etag": f'"{grant.key.rpartition("/")[2]}"',
    }
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(b"", status_code=304, headers=headers)
    size = await _size(uploads, grant)
    asked = request.headers.get("range")
    if asked is not None and request.headers.get("if-range", headers["etag"]) != headers["etag"]:
        asked = None
    first, last = (0, size - 1) if asked is None else _range(asked, size)
    status = 200
    if asked is not None:
        status, headers["content-range"] = 206, f"bytes {first}-{last}/{size}"
    headers["content-length"] = str(last - first + 1)
    content = (
        _nothing()
        if request.method == "HEAD"
        else uploads.objects.read(grant.key, start=first, length=last - first + 1)
    )
    return Stream(content, status_code=status, headers=headers, media_type=grant.content_type)


async def _size(uploads: Uploads, grant: Grant) -> int:
    try:
        with storing():
            return await uploads.objects.size(grant.key)
    except ObjectNotFoundError as error:
        raise _gone() from error


def _range(asked: str, size: int) -> tuple[int, int]:
    """The first and the last byte of one range; all of it when several are asked for. Raises ProblemError."""
    found = _RANGE.fullmatch(asked.strip())
    if found is None:
        if "," in asked:
            return 0, size - 1
        raise _unsatisfiable(size)
    if not found["first"]:
        length = int(found["last"] or 0)
        if length == 0:
            raise _unsatisfiable(size)
        return max(0, size - length), size - 1
    first, last = int(found["first"]), min(int(found["last"] or size - 1), size - 1)
    if first > last:
        raise _unsatisfiable(size)
    return first, last


def _unsatisfiable(size: int) -> ProblemError:
    return ProblemError(
        "range_unsatisfiable", f"The file has {size:,} bytes.", headers={"Content-Range": f"bytes */{size}"}
    )


def _gone() -> ProblemError:
    return ProblemError("file_not_found", "There is no file at this address, or it has expired.")


async def _nothing() -> AsyncIterator[bytes]:
    nothing: tuple[bytes, ...] = ()
    for piece in nothing:
        yield piece
