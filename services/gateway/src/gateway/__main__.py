"""`python -m gateway` runs the service; `python -m gateway openapi` prints the API's description."""

import sys

from chassis.process import run
from gateway import openapi
from gateway.bootstrap import serve
from gateway.settings import Settings


def main() -> None:
    match sys.argv[1:]:
        case []:
            settings = Settings()  # type: ignore[call-arg]  # filled from the environment
            run(lambda stop: serve(settings, stop))
        case ["openapi"]:
            sys.stdout.buffer.write(openapi.document_bytes())
        case _:
            sys.exit("usage: python -m gateway [openapi]")


if __name__ == "__main__":
    main()
