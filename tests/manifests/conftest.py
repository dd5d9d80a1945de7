"""The overlays, rendered once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache

import pytest
import yaml
from tests.manifests.rendering import KUSTOMIZE, OVERLAYS, Manifests, render


@pytest.fixture(scope="session")
def overlays() -> Mapping[str, Manifests]:
    return {name: render(KUSTOMIZE / "overlays" / name) for name in OVERLAYS}


@pytest.fixture(params=OVERLAYS)
def manifests(request: pytest.FixtureRequest, overlays: Mapping[str, Manifests]) -> Manifests:
    return overlays[request.param]


@pytest.fixture
def production(overlays: Mapping[str, Manifests]) -> Manifests:
    return overlays["production"]


@pytest.fixture(scope="session")
def with_component(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Manifests]:
    """The production overlay with one more component."""

    @cache
    def rendered(component: str) -> Manifests:
        folder = tmp_path_factory.mktemp(component)
        here = os.path.relpath(KUSTOMIZE, folder)
        (folder / "kustomization.yaml").write_text(
            yaml.safe_dump(
                {"resources": [f"{here}/overlays/production"], "components": [f"{here}/components/{component}"]}
            )
        )
        return render(folder)

    return rendered
