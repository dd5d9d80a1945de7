"""`python -m publisher` runs the service; `python -m publisher connect` connects an account, JSON on standard input;
`python -m publisher rotate-keys` seals all tokens anew under the active key of VAULT_KEYS_FILE.
"""

import json
import sys

import msgspec
import uvloop
from pymongo.errors import PyMongoError

from chassis.process import run
from chassis.sealing import SealingError
from eventlog.sending import AppendUnknownError, NotAppendedError
from publisher.bootstrap import serve
from publisher.entrypoints.connect import Connection, NotConnectedError, connect
from publisher.entrypoints.rotate import rotate_keys
from publisher.settings import Settings


def main() -> None:
    settings = Settings()  # type: ignore[call-arg]  # filled from the environment
    match sys.argv[1:]:
        case []:
            run(lambda stop: serve(settings, stop), service="publisher", settings=settings)
        case ["connect"]:
            _connect(settings)
        case ["rotate-keys"]:
            _rotate_keys(settings)
        case _:
            sys.exit("usage: python -m publisher [connect | rotate-keys]")


def _connect(settings: Settings) -> None:
    try:
        wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=Connection)
        account_id = uvloop.run(connect(settings, wanted))
    except (
        msgspec.DecodeError,
        NotConnectedError,
        SealingError,
        NotAppendedError,
        AppendUnknownError,
    ) as error:
        sys.exit(f"not connected: {error}")
    print(json.dumps({"account_id": account_id}))


def _rotate_keys(settings: Settings) -> None:
    try:
        report = uvloop.run(rotate_keys(settings, lambda count: print(f"{count} sealed anew", file=sys.stderr)))
    except (SealingError, PyMongoError) as error:
        sys.exit(f"not rotated: {error}; run it again to go on where it stopped")
    print(json.dumps(msgspec.to_builtins(report)))
    if report.remaining:
        sys.exit(f"{report.remaining} records are not under key {report.active}: keep the older keys")


if __name__ == "__main__":
    main()
