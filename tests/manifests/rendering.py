"""What the overlays come to, and questions to ask of it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
KUSTOMIZE = ROOT / "deploy/k8s"
SERVICES = ("analytics", "auditor", "gateway", "media", "posts", "publisher", "webhooks")
OVERLAYS = ("local", "production")

Document = dict[str, Any]
"""A manifest. What is in it is checked by its schema."""


class Manifests:
    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = documents

    def of(self, kind: str, namespace: str | None = None) -> dict[str, Document]:
        return {
            each["metadata"]["name"]: each
            for each in self.documents
            if each["kind"] == kind and namespace in (None, each["metadata"].get("namespace"))
        }

    def pods(self) -> dict[str, Document]:
        """The pod templates, by the name of what makes them."""
        return {
            name: each["spec"]["template"]
            for kind in ("Deployment", "StatefulSet", "Job")
            for name, each in self.of(kind).items()
        }

    def workload(self, name: str) -> Document:
        """The Deployment or StatefulSet of that name."""
        return {**self.of("Deployment"), **self.of("StatefulSet")}[name]

    def environment(self, name: str, secret: Callable[[str, str], str | None]) -> dict[str, str]:
        """Of the one container of a pod, as Kubernetes composes it; `secret` answers for the keys of Secrets."""
        (container,) = self.pods()[name]["spec"]["containers"]
        found: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            found |= self.of("ConfigMap", "social")[source["configMapRef"]["name"]]["data"]
        for each in container.get("env", ()):
            if "value" in each:
                found[each["name"]] = each["value"]
                continue
            if "fieldRef" in each["valueFrom"]:
                assert each["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
                found[each["name"]] = f"{name}-0"
                continue
            reference = each["valueFrom"]["secretKeyRef"]
            value = secret(reference["name"], reference["key"])
            if value is not None:
                found[each["name"]] = value
            else:
                assert reference.get("optional"), f"{name} cannot start without {reference}"
        return found


def render(folder: Path) -> Manifests:
    command = ["kustomize", "build"] if shutil.which("kustomize") else ["kubectl", "kustomize"]
    if shutil.which(command[0]) is None:
        pytest.skip("needs kubectl or kustomize")
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Manifests(list(yaml.safe_load_all(done.stdout)))
