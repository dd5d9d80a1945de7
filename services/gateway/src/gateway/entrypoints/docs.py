"""What anybody may see: the documentation, and whether the process lives."""

from functools import cache
from importlib.resources import files

from litestar import Response, get

from contracts import asyncapi
from gateway import event_docs, openapi
from gateway.answers import JSON
from gateway.context import Req
from gateway.problems import ProblemError

_ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_START = "docs.js"
_START_SCRIPT = b"""window.onload = () => SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#docs", deepLinking: true, persistAuthorization: false, tryItOutEnabled: true,
});
"""
_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{openapi.TITLE}</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/{_START}"></script>
</body>
</html>
""".encode()


@cache
def _asset(name: str) -> bytes:
    return (files("openapi_ui_bundles.swagger_ui") / "vendor" / name).read_bytes()


@get("/docs")
async def get_docs(request: Req) -> Response[bytes]:  # noqa: ARG001
    return Response(_PAGE, media_type="text/html")


@get("/docs/{asset:str}")
async def get_docs_asset(request: Req) -> Response[bytes]:
    name = request.path_params["asset"]
    if name == _START:
        return Response(_START_SCRIPT, media_type="text/javascript")
    kind = _ASSETS.get(name)
    if kind is None:
        raise ProblemError("route_not_found", "The documentation has no such part.")
    return Response(_asset(name), media_type=kind)


@get("/openapi.json")
async def get_openapi(request: Req) -> Response[bytes]:  # noqa: ARG001
    return Response(openapi.document_bytes(), media_type=JSON)


@get("/docs/events")
async def get_event_docs(request: Req) -> Response[bytes]:  # noqa: ARG001
    return Response(event_docs.page(), media_type="text/html")


@get("/asyncapi.json")
async def get_asyncapi(request: Req) -> Response[bytes]:  # noqa: ARG001
    return Response(_asyncapi(), media_type=JSON)


@cache
def _asyncapi() -> bytes:
    return asyncapi.rendered().encode()


@get("/livez")
async def get_livez(request: Req) -> Response[bytes]:  # noqa: ARG001
    return Response(b'{"status":"ok"}', media_type=JSON)
