"""`python -m publisher` runs the service; `python -m publisher connect` connects an account, JSON on standard input."""

import json
import sys

import msgspec
import uvloop

from chassis.process import run
from eventlog.sending import AppendUnknownError, NotAppendedError
from publisher.adapters.vault import VaultError
from publisher.bootstrap import serve
from publisher.entrypoints.connect import Connection, NotConnectedError, connect
from publisher.settings import Settings


def main() -> None:
    settings = Settings()  # type: ignore[call-arg]  # filled from the environment
    match sys.argv[1:]:
        case []:
            run(lambda stop: serve(settings, stop))
        case ["connect"]:
            _connect(settings)
        case _:
            sys.exit("usage: python -m publisher [connect]")


def _connect(settings: Settings) -> None:
    try:
        wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=Connection)
        account_id = uvloop.run(connect(settings, wanted))
    except (
        msgspec.DecodeError,
        NotConnectedError,
        VaultError,
        NotAppendedError,
        AppendUnknownError,
    ) as error:
        sys.exit(f"not connected: {error}")
    print(json.dumps({"account_id": account_id}))


if __name__ == "__main__":
    main()
