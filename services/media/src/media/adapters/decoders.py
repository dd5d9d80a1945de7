"""The processes that decode: one that forks, started with the service, and a bounded child for each file."""

import asyncio
import itertools
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct
from prometheus_client import Counter

from media.decoding.tasks import Limits, Refused, Result, Task, read_result, write_task

log = structlog.get_logger()

ENDED = Counter("media_decoders_ended", "Decoder processes, by how they ended", ("how",))
for _how in ("done", "refused", "time", "size", "killed", "crash"):
    # From zero on, so that an increase is seen also when the first ones come together.
    ENDED.labels(_how)

_TOO_LONG = (signal.SIGALRM, signal.SIGXCPU)


class DecoderLostError(Exception):
    """The decoder was ended from outside: nothing has been found out about the file."""


class _Confined(Struct, frozen=True, kw_only=True):
    reason: str | None


class _Order(Struct, frozen=True, kw_only=True):
    id: int
    folder: str
    limits: Limits


class _Ended(Struct, frozen=True, kw_only=True):
    id: int
    status: int


class Decoders:
    """Runs tasks. How many at once is for the caller to bound."""

    def __init__(self) -> None:
        self._ids = itertools.count()
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self.have_network = True
        """Whether they could call somebody: where the kernel or the container does not allow to cut them off."""

    async def run(self, folder: Path, task: Task, limits: Limits) -> Result:
        """Does the task in its folder. What the limits or a crash put an end to is refused, like what is damaged.

        Raises DecoderLostError when trying again may help.
        """
        write_task(folder, task)
        for _ in range(2):
            status = await self._ended(folder, limits)
            if status != -signal.SIGKILL:
                return _told(folder, status)
        # Twice in a row is hardly chance: what has it killed is most likely its hunger for memory.
        ENDED.labels("killed").inc()
        return Refused(rule="media.memory", message="Decoding the file takes more memory than is allowed.")

    async def start(self) -> None:
        """So that the first file need not wait for it."""
        async with self._starting:
            if self._process is None or self._process.returncode is not None:
                environment = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "media.decoding", stdin=PIPE, stdout=PIPE, env=environment
                )
                await self._hear(self._process)
                self._reading = asyncio.create_task(self._read(self._process))

    async def close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await self._process.wait()
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()
        if self._reading is not None:
            await self._reading

    async def _ended(self, folder: Path, limits: Limits) -> int:
        """How the process ended: 0, 1, or minus the signal."""
        await self.start()
        if self._process is None or self._process.stdin is None:
            raise DecoderLostError("the forking process could not be started")
        number = next(self._ids)
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[number] = ended
        order = _Order(id=number, folder=str(folder), limits=limits)
        try:
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            await self._process.stdin.drain()
            return await ended
        except (BrokenPipeError, ConnectionResetError) as error:
            raise DecoderLostError("the forking process has ended") from error
        finally:
            self._waiting.pop(number, None)

    async def _hear(self, process: Process) -> None:
        line = b"" if process.stdout is None else await process.stdout.readline()
        if not line:
            raise DecoderLostError("the forking process could not be started")
        reason = msgspec.json.decode(line, type=_Confined).reason
        self.have_network = reason is not None
        if self.have_network:
            log.warning("decoders are not cut off from the network", reason=reason)

    async def _read(self, process: Process) -> None:
        if process.stdout is None:
            return
        while line := await process.stdout.readline():
            told = msgspec.json.decode(line, type=_Ended)
            waiting = self._waiting.get(told.id)
            if waiting is not None and not waiting.done():
                waiting.set_result(told.status)
        await process.wait()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(DecoderLostError("the forking process has ended"))


def _told(folder: Path, status: int) -> Result:
    if status == 0 and (result := read_result(folder)) is not None:
        ENDED.labels("refused" if isinstance(result, Refused) else "done").inc()
        return result
    if -status in _TOO_LONG:
        ENDED.labels("time").inc()
        return Refused(rule="media.time", message="Decoding the file takes more time than is allowed.")
    if status == -signal.SIGXFSZ:
        ENDED.labels("size").inc()
        return Refused(rule="media.size", message="What is made of the file becomes larger than is allowed.")
    ENDED.labels("crash").inc()
    log.error("a decoder crashed", status=status)
    return Refused(rule="media.broken", message="The file is damaged: it cannot be decoded.")
