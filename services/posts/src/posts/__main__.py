"""`python -m posts` runs the service; `python -m posts rebuild` rebuilds its projection from the log."""

import sys

import uvloop

from chassis.process import run
from chassis.settings import ServiceSettings
from posts.bootstrap import serve
from posts.rebuild import rebuild


def main() -> None:
    settings = ServiceSettings()  # type: ignore[call-arg]  # filled from the environment
    match sys.argv[1:]:
        case []:
            run(lambda stop: serve(settings, stop), service="posts", settings=settings)
        case ["rebuild", *options]:
            sys.exit(uvloop.run(rebuild(settings, repair="--repair" in options)))
        case _:
            sys.exit("usage: python -m posts [rebuild [--repair]]")


if __name__ == "__main__":
    main()
