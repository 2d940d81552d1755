"""OpenCV is for one machine: in the layer that the local engine builds, in none that is deployed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from local import engine, packaging

LAYERS = engine.ROOT / "layers"


def commands(layer: str, target: str, artifacts: Path) -> str:
    """Return what make would run to build a layer."""
    return subprocess.run(
        ["make", "--dry-run", "--directory", str(LAYERS), f"build-{layer}"],
        env={
            "PATH": os.environ["PATH"],
            "TARGET": target,
            "PYTHON": sys.executable,
            "ARTIFACTS_DIR": str(artifacts),
        },
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("layer", packaging.LAYER_SOURCES)
def test_no_layer_for_lambda_installs_it(layer: str, tmp_path: Path) -> None:
    assert "requirements-faces" not in commands(layer, "lambda", tmp_path)


def test_the_imaging_layer_for_this_machine_installs_it(tmp_path: Path) -> None:
    assert "../local/requirements-faces.txt" in commands("ImagingLayer", "host", tmp_path)


def test_what_the_layers_pin_has_no_part_of_it() -> None:
    pins = [file.read_text() for file in LAYERS.glob("*/requirements.txt")]

    assert len(pins) == 2
    assert not any(re.search(r"(?m)^(opencv|numpy)", text) for text in pins)


def test_a_change_of_its_pins_builds_the_layer_anew() -> None:
    sources = [(LAYERS / source).resolve() for source in packaging.LAYER_SOURCES["ImagingLayer"]]

    assert engine.ROOT / "local/requirements-faces.txt" in sources
    assert all(source.exists() for source in sources)
