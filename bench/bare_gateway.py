"""A Litestar application that does nothing but read a post and answer it, on the server that the gateway uses."""

from __future__ import annotations

import sys

import uvicorn
from litestar import Litestar, post

from gateway.requests import CreateBody


@post("/posts", openapi_exclude=True)
async def create(data: CreateBody) -> CreateBody:
    return data


if __name__ == "__main__":
    uvicorn.run(
        Litestar([create], openapi_config=None),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
    )
