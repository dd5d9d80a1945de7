"""Decoders can call nobody, where the kernel allows to cut them off."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from media.adapters.decoders import Decoders

CALL = """
import socket, sys
from media.decoding.confining import leave_network
print(leave_network())
for address in ("127.0.0.1", "::1"):
    try:
        socket.create_connection((address, int(sys.argv[1])), timeout=5)
    except OSError as error:
        print(type(error).__name__)
    else:
        print("connected")
"""
ALLOWED = subprocess.run(["unshare", "--user", "--net", "true"], check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not ALLOWED, reason="this kernel, or this container, allows no namespaces")
def test_what_is_cut_off_reaches_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.setblocking(False)
        command = [sys.executable, "-c", CALL, str(canary.getsockname()[1])]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        assert told == ["None", "OSError", "OSError"]
        with pytest.raises(BlockingIOError):
            canary.accept()


async def test_decoders_are_in_a_network_of_their_own_or_it_is_said_that_they_are_not() -> None:
    decoders = Decoders()
    await decoders.start()
    process = vars(decoders)["_process"]
    own, theirs = (os.readlink(f"/proc/{pid}/ns/net") for pid in ("self", process.pid))
    assert decoders.have_network == (own == theirs)
    assert not (ALLOWED and decoders.have_network)
    await decoders.close()
