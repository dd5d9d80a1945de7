"""`python -m webhooks` runs the service; `python -m webhooks rotate-keys` seals all signing keys anew under the active
key of WEBHOOKS_KEYS_FILE.
"""

import json
import sys

import msgspec
import uvloop
from pymongo.errors import PyMongoError

from chassis.process import run
from chassis.sealing import SealingError
from webhooks.bootstrap import serve
from webhooks.entrypoints.rotate import rotate_keys
from webhooks.settings import Settings


def main() -> None:
    settings = Settings()  # type: ignore[call-arg]  # filled from the environment
    match sys.argv[1:]:
        case []:
            run(lambda stop: serve(settings, stop), service="webhooks", settings=settings)
        case ["rotate-keys"]:
            _rotate_keys(settings)
        case _:
            sys.exit("usage: python -m webhooks [rotate-keys]")


def _rotate_keys(settings: Settings) -> None:
    try:
        report = uvloop.run(rotate_keys(settings))
    except (SealingError, PyMongoError) as error:
        sys.exit(f"not rotated: {error}; run it again to go on where it stopped")
    print(json.dumps(msgspec.to_builtins(report)))
    if report.remaining:
        sys.exit(f"{report.remaining} keys are not sealed under {report.active}: keep the older keys")


if __name__ == "__main__":
    main()
