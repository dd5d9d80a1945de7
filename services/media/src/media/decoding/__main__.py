"""`python -m media.decoding`: forks one bounded process for each task that is named on its standard input.

The first line out says whether it, and all that it forks, is without a network: `{"reason": null}`, or why not. Then
a line in is `{"id": …, "folder": …, "limits": {…}}`, and a line out says how that process ended: `{"id": …, "status":
…}`, negative for a signal. Libraries are loaded once, before the forks, so a task costs milliseconds to begin.
"""

import os
import resource
import select
import signal
from contextlib import suppress
from pathlib import Path

import av.filter  # noqa: F401  # loaded before the forks
import msgspec
import PIL.Image
from msgspec import Struct

from media.decoding import images, videos
from media.decoding.confining import end_with_parent, leave_network
from media.decoding.tasks import Limits, Look, Make, Refused, RefusedError, Result, read_task, write_result

_LINE = 65_536


class Confined(Struct, frozen=True, kw_only=True):
    reason: str | None


class Order(Struct, frozen=True, kw_only=True):
    id: int
    folder: str
    limits: Limits


class Ended(Struct, frozen=True, kw_only=True):
    id: int
    status: int


def main() -> None:
    PIL.Image.init()
    os.write(1, msgspec.json.encode(Confined(reason=leave_network())) + b"\n")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, int] = {}
    pending = b""
    while True:
        ready, _, _ = select.select([0, wake_read], [], [])
        if wake_read in ready:
            with suppress(BlockingIOError):
                os.read(wake_read, _LINE)
            _reap(running)
        if 0 in ready:
            received = os.read(0, _LINE)
            if not received:
                break
            *lines, pending = (pending + received).split(b"\n")
            for line in lines:
                order = msgspec.json.decode(line, type=Order)
                running[_fork(order)] = order.id
    for pid in running:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _reap(running: dict[int, int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        order_id = running.pop(pid, None)
        if order_id is not None:
            told = Ended(id=order_id, status=os.waitstatus_to_exitcode(status))
            os.write(1, msgspec.json.encode(told) + b"\n")


def _fork(order: Order) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        _become_bounded(order.limits)
        write_result(Path(order.folder), _result(Path(order.folder)))
        os._exit(0)
    except BaseException:
        os._exit(1)


def _become_bounded(limits: Limits) -> None:
    end_with_parent()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # The kernel ends it, whatever the decoder is doing. Python ignores the second of these unless told otherwise.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    signal.alarm(limits.wall_seconds)
    os.nice(limits.niceness)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.closerange(3, 64)
    with open("/proc/self/statm", "rb") as file:
        empty = int(file.read().split()[0]) * resource.getpagesize()
    memory = empty + limits.memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 2))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _result(folder: Path) -> Result:
    try:
        match read_task(folder):
            case Look(content_type=content_type) if content_type in images.FORMATS:
                return images.look(folder, content_type)
            case Look(content_type=content_type):
                return videos.look(folder, content_type)
            case Make(content_type=content_type, recipe=recipe) if content_type in images.FORMATS:
                return images.make(folder, content_type, recipe)
            case Make(recipe=recipe):
                return videos.make(folder, recipe)
    except RefusedError as error:
        return error.result
    except MemoryError:
        return Refused(rule="media.memory", message="Decoding the file takes more memory than is allowed.")


if __name__ == "__main__":
    main()
