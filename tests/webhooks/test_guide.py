"""docs/webhooks.md, followed to the letter: its commands are run as they are written, in terminals of their own.

Only what names this machine's default addresses is replaced by where the stack of the tests is.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.ids import new_id
from localstack.process import free_ports
from localstack.settings import REPOSITORY

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

GUIDE = REPOSITORY / "docs" / "webhooks.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Terminal:
    """A shell that somebody types into."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.shown: list[str] = []
        self._process = subprocess.Popen(
            ["bash", "-eu", "-o", "pipefail"],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def type(self, commands: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(commands + "echo\n")
        self._process.stdin.flush()

    def close(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reading.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.shown.extend(iter(self._process.stdout.readline, ""))


@pytest.fixture
def open_terminal(stack: Any, manager: Any) -> Iterator[Callable[[], Terminal]]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment = {
        **own,
        "SOCIAL_STATE": str(stack.settings.social_state),
        "TENANT": manager.tenant,
        "KAFKA_BOOTSTRAP": stack.kafka_bootstrap,
        "KAFKA_GROUP": new_id("group"),
    }
    opened: list[Terminal] = []

    def open_terminal() -> Terminal:
        opened.append(Terminal(environment))
        return opened[-1]

    yield open_terminal
    for terminal in opened:
        terminal.close()


@pytest.fixture
def manager(as_role: Any) -> Any:
    return as_role("manager")


def blocks(stack: Any, folder: Path) -> list[str]:
    """The commands of each block of the guide."""
    (port,) = free_ports(1)
    text = GUIDE.read_text("utf-8")
    for default, here in (
        ("http://127.0.0.1:8000", stack.gateway_url),
        ("8099", str(port)),
        (".local/", f"{folder}/"),
    ):
        assert default in text
        text = text.replace(default, here)
    found = [re.sub(r"^\$ ", "", block, flags=re.MULTILINE) for block in BLOCK.findall(text)]
    assert "$ " not in "".join(line[:2] for block in found for line in block.splitlines(keepends=True))
    return found


def test_a_newcomer_gets_every_command_to_work(
    stack: Any, open_terminal: Any, manager: Any, say: Any, tmp_path: Path, eventually: Any
) -> None:
    register, receive, send, look, catch_up, listen, consume = blocks(stack, tmp_path)

    second, third = open_terminal(), open_terminal()
    second.type(register)
    made = json.loads(eventually(lambda: [line for line in second.shown if "whsec_" in line])[0])
    third.type(receive)
    eventually(lambda: [line for line in third.shown if line.startswith("listening")])
    second.type(send)
    eventually(lambda: [line for line in third.shown if line.startswith("verified #1 webhook.test")])
    eventually(lambda: manager.get(f"/webhooks/{made['id']}/deliveries", status="delivered")["deliveries"])
    second.type(look)
    (listed,) = json.loads(eventually(lambda: [line for line in second.shown if '"deliveries"' in line])[0])[
        "deliveries"
    ]
    assert listed["status"] == "delivered"

    (mention,) = say(manager.tenant)
    eventually(lambda: [line for line in third.shown if line.startswith("verified #2 social.mention_received")])
    eventually(lambda: manager.get("/events")["events"])
    second.type(catch_up)
    page = json.loads(eventually(lambda: [line for line in second.shown if '"more"' in line])[0])
    assert [event["id"] for event in page["events"]] == [mention]

    second.type(listen)
    eventually(lambda: [line for line in second.shown if line.startswith("retry:")])
    (another,) = say(manager.tenant)
    eventually(lambda: [line for line in second.shown if another in line])

    fourth = open_terminal()
    fourth.type(consume)
    eventually(
        lambda: sum(manager.tenant in line and line.startswith("social.mention_received") for line in fourth.shown) == 2
    )


def test_the_receiver_of_the_guide_refuses_what_others_sign(open_terminal: Any, manager: Any, eventually: Any) -> None:
    (port,) = free_ports(1)
    webhook = manager.post("/webhooks", {"url": f"http://127.0.0.1:{port}/"}, status=201)
    terminal = open_terminal()
    terminal.type(
        "export WEBHOOK_SECRET=whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazmbV3dx0Qk=\n"
        f".venv/bin/python docs/examples/webhook_consumer.py {port}\n"
    )
    eventually(lambda: terminal.shown)
    sent = manager.post(f"/webhooks/{webhook['id']}/test", status=202)
    log = eventually(lambda: manager.get(f"/webhooks/{webhook['id']}/deliveries/{sent['id']}")["log"])
    assert log[0]["status"] == 400
    assert len(terminal.shown) == 1
