"""`python -m localstack VERB`: everything on this machine, from one command."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from types import FrameType

from aiokafka.errors import KafkaError
from pydantic import ValidationError

from eventlog.provision import ProvisioningError
from localstack.demo import TENANT, Demo, DemoError, curl_example, not_ready
from localstack.doctor import examine
from localstack.jars import HashMismatchError
from localstack.keys import Keys
from localstack.process import ProcessFailedError
from localstack.record import Record, end
from localstack.services import END_WITHIN, SERVICES, environments
from localstack.settings import Settings
from localstack.stack import Stack
from localstack.store import StoreNotFoundError

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_DRAIN_WITHIN_SECONDS = 150.0
_START_FAILURES = (ProcessFailedError, HashMismatchError, StoreNotFoundError, ProvisioningError, KafkaError, OSError)


def main() -> int:
    # The probes of a broker that is not up yet are no news.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    arguments = _parser().parse_args()
    try:
        settings = Settings()
    except ValidationError as invalid:
        for error in invalid.errors():
            print(f"{'_'.join(map(str, error['loc'])).upper()}: {error['msg']}, not {error['input']!r}")
        return 2
    keys = Keys.in_folder(settings.social_state / "keys")
    match arguments.verb:
        case "doctor":
            return doctor(settings)
        case "run":
            return run(settings, once=arguments.once)
        case "down":
            return down(settings)
        case "smoke":
            return smoke(settings, keys)
        case "token":
            print(_token(settings, keys, arguments.role or ["content_manager"], arguments.tenant, arguments.sub))
            return 0
        case "env":
            return print_environment(settings, keys)
        case _:
            return rebuild(settings, keys, repair=arguments.repair)


def doctor(settings: Settings) -> int:
    findings = list(examine(settings))
    for finding in findings:
        print(finding)
    return 0 if all(finding.ok for finding in findings) else 1


def run(settings: Settings, *, once: bool) -> int:
    """Start everything, show a round trip, and stay until Ctrl-C; with `once`, end after the round trip."""
    left = Record(settings.record).alive()
    if any(entry.name == "supervisor" for entry in left):
        print(f"a stack of {settings.social_state} is running already; end it with `make down`")
        return 1
    if left:
        say("ending what an earlier run left behind")
        down(settings)
    stack = Stack(settings, say)
    _drain_at_the_first_signal_and_kill_at_the_second(stack)
    leave = threading.Event()
    watcher = threading.Thread(target=stack.supervisor.watch, args=(leave,))
    try:
        stack.start()
        watcher.start()
        shown = _show(stack)
        if once:
            return 0 if shown else 1
        say("running; Ctrl-C ends it")
        leave.wait()
    except KeyboardInterrupt:
        say("draining; Ctrl-C once more kills instead")
        return 1 if once else 0
    except _START_FAILURES as failure:
        say(f"FAILED to start: {failure}")
        return 1
    finally:
        leave.set()
        if watcher.is_alive():
            watcher.join()
        stack.stop()
    return 0


def down(settings: Settings) -> int:
    """End a stack that runs, or what is left of one; only processes that it recorded."""
    record = Record(settings.record)
    for entry in record.alive():
        if entry.name == "supervisor":
            say(f"asking the stack (process {entry.pid}) to drain")
            end(entry, _DRAIN_WITHIN_SECONDS)
    for entry in reversed(record.alive()):
        clean = end(entry, END_WITHIN)
        say(f"{entry.name} (process {entry.pid}) {'ended' if clean else 'was killed'}")
    record.remove()
    return 0


def smoke(settings: Settings, keys: Keys) -> int:
    """The round trip against a stack that runs; 1 if anything is missing, and it says what."""
    if missing := not_ready(settings):
        print("not ready: " + ", ".join(missing))
        return 1
    try:
        Demo(settings, keys, say).run()
    except DemoError as failure:
        print(f"FAILED: {failure}")
        return 1
    say("smoke test passed")
    return 0


def print_environment(settings: Settings, keys: Keys) -> int:
    """Lines for `eval "$(python -m localstack env)"`: a shell that can talk to the stack, or run a service of it."""
    merged = {name: value for service in SERVICES for name, value in environments(settings, keys)[service].items()}
    del merged["HEALTH_PORT"]
    merged |= {
        "GATEWAY_URL": settings.gateway_url,
        "SANDBOX_URL": settings.sandbox_url,
        "TOKEN": _token(settings, keys, ["content_manager"], TENANT, "user_001"),
    }
    for name, value in sorted(merged.items()):
        print(f"export {name}={shlex.quote(value)}")
    return 0


def rebuild(settings: Settings, keys: Keys, *, repair: bool) -> int:
    """Fold the posts' log again from its beginning, compare the outcome with the live state, and mend that if asked."""
    told = {name: value for name, value in environments(settings, keys)["posts"].items() if name != "HEALTH_PORT"}
    command = [sys.executable, "-m", "posts", "rebuild", *(["--repair"] if repair else [])]
    return subprocess.run(command, check=False, env={**os.environ, **told}).returncode


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def _show(stack: Stack) -> bool:
    """Play the demo; False, with the reason told, if it failed."""
    settings = stack.settings
    demo = Demo(settings, stack.keys, say)
    try:
        account_ids = demo.run()
    except DemoError as failure:
        say(f"THE DEMO FAILED: {failure}")
        say(f"the logs are in {settings.logs}")
        return False
    print(
        f"\n  API docs   {settings.gateway_url}/docs"
        f"\n  sandbox    {settings.sandbox_url}/_sandbox/ledger?account=... shows what is live"
        f"\n  logs       {settings.logs}"
        f"\n\n  Try it:\n\n{curl_example(settings, demo.token, account_ids[0])}\n",
        flush=True,
    )
    return True


def _drain_at_the_first_signal_and_kill_at_the_second(stack: Stack) -> None:
    def drain(_number: int, _frame: FrameType | None) -> None:
        for number in _ENDING:
            signal.signal(number, kill)
        raise KeyboardInterrupt

    def kill(_number: int, _frame: FrameType | None) -> None:
        # Only the signal: the interrupted drain itself waits until they are gone.
        for process in stack.supervisor.processes:
            process.signal(signal.SIGKILL)
        say("killing everything")

    for number in _ENDING:
        signal.signal(number, drain)


def _token(settings: Settings, keys: Keys, roles: list[str], tenant: str, sub: str) -> str:
    keys.ensure()
    return keys.token(issuer=settings.jwt_issuer, audience=settings.jwt_audience, tenant=tenant, sub=sub, roles=roles)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m localstack", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("doctor", help="can this machine run the stack, and if not, why")
    run_verb = verbs.add_parser("run", help="start everything, show a round trip, stay until Ctrl-C")
    run_verb.add_argument("--once", action="store_true", help="end after the round trip: 0 if it worked, else 1")
    verbs.add_parser("down", help="end a running stack, or one left behind")
    verbs.add_parser("smoke", help="the round trip against a running stack")
    token = verbs.add_parser("token", help="print an access token for the gateway")
    token.add_argument("--role", action="append", help="may be repeated; default content_manager")
    token.add_argument("--tenant", default=TENANT)
    token.add_argument("--sub", default="user_001")
    rebuild_verb = verbs.add_parser("rebuild", help="fold the posts' log again and compare")
    rebuild_verb.add_argument("--repair", action="store_true", help="write what is missing or behind")
    verbs.add_parser("env", help="print the stack's environment as export lines")
    return parser


if __name__ == "__main__":
    sys.exit(main())
