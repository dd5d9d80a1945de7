"""Renews `kafka.lock`: asks Maven what the broker needs, and records each jar's coordinates and SHA-256.

`python -m localstack.lock`, or `make lock-kafka`. Needs `mvn`; nothing else of this project does.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from localstack.jars import Jar, sha256_of
from localstack.kafka import LOCK

ROOTS = ("org.apache.kafka:kafka_2.13:4.4.0", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.1")
_LIST = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:list"
_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId>
  <artifactId>broker</artifactId>
  <version>1</version>
  <dependencies>{dependencies}</dependencies>
</project>
"""
_RESOLVED = re.compile(r"^\s*([\w.-]+):([\w.-]+):jar:([\w.-]+):(?:compile|runtime):(/\S+\.jar)", re.MULTILINE)


def resolve(roots: tuple[str, ...] = ROOTS) -> list[Jar]:
    """The roots and all that they need at run time, sorted. Raises CalledProcessError if Maven fails."""
    with tempfile.TemporaryDirectory() as folder:
        pom, listing = Path(folder, "pom.xml"), Path(folder, "list.txt")
        pom.write_text(_POM.format(dependencies="".join(_dependencies(roots))))
        subprocess.run(
            (
                "mvn",
                "--batch-mode",
                "--quiet",
                f"--file={pom}",
                _LIST,
                "-DincludeScope=runtime",
                "-DoutputAbsoluteArtifactFilename=true",
                f"-DoutputFile={listing}",
            ),
            check=True,
        )
        return sorted(
            Jar(group, artifact, version, sha256_of(Path(path)))
            for group, artifact, version, path in _RESOLVED.findall(listing.read_text())
        )


def _dependencies(roots: tuple[str, ...]) -> Iterator[str]:
    for root in roots:
        group, artifact, version = root.split(":")
        yield (
            f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
            f"<version>{version}</version></dependency>"
        )


if __name__ == "__main__":
    jars = resolve()
    LOCK.write_text("".join(f"{jar}\n" for jar in jars))
    print(f"{LOCK.name}: {len(jars)} jars")
    sys.exit(0 if jars else 1)
