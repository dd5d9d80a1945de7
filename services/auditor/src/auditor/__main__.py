"""`python -m auditor` runs the service. `python -m auditor check` audits everything once, from the first event.

`findings` lists what stands, `settle FINDING WHY` closes what was looked into, `recount` has the service begin anew.
"""

import sys

import uvloop

from auditor.bootstrap import serve
from auditor.commands import check_once, recount, settle, show
from auditor.settings import Settings
from chassis.process import run


def main() -> None:
    settings = Settings()  # type: ignore[call-arg]  # filled from the environment
    match sys.argv[1:]:
        case []:
            run(lambda stop: serve(settings, stop), service="auditor", settings=settings)
        case ["check"]:
            sys.exit(uvloop.run(check_once(settings)))
        case ["findings"]:
            sys.exit(uvloop.run(show(settings)))
        case ["settle", finding_id, *words] if words:
            sys.exit(uvloop.run(settle(settings, finding_id, " ".join(words))))
        case ["recount"]:
            sys.exit(uvloop.run(recount(settings)))
        case _:
            sys.exit("usage: python -m auditor [check | findings | settle FINDING WHY | recount]")


if __name__ == "__main__":
    main()
