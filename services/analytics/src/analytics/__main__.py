"""`python -m analytics` runs the service; `python -m analytics rebuild` folds all samples again and compares."""

import sys

import uvloop

from analytics.bootstrap import serve
from analytics.rebuild import rebuild
from analytics.settings import Settings
from chassis.process import run


def main() -> None:
    settings = Settings()  # type: ignore[call-arg]  # filled from the environment
    match sys.argv[1:]:
        case []:
            run(lambda stop: serve(settings, stop), service="analytics", settings=settings)
        case ["rebuild"]:
            sys.exit(uvloop.run(rebuild(settings)))
        case _:
            sys.exit("usage: python -m analytics [rebuild]")


if __name__ == "__main__":
    main()
