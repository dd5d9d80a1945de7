"""`python -m gateway` runs the service; `python -m gateway openapi` prints the API's description, and
`python -m gateway access` who may do what.
"""

import sys

from chassis.process import run
from gateway import access, openapi
from gateway.bootstrap import serve
from gateway.settings import Settings


def main() -> None:
    match sys.argv[1:]:
        case []:
            settings = Settings()  # type: ignore[call-arg]  # filled from the environment
            run(lambda stop: serve(settings, stop), service="gateway", settings=settings)
        case ["openapi"]:
            sys.stdout.buffer.write(openapi.document_bytes())
        case ["access"]:
            sys.stdout.write(access.page())
        case _:
            sys.exit("usage: python -m gateway [openapi | access]")


if __name__ == "__main__":
    main()
