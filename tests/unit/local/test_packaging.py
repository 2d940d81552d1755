from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from local import packaging

MAKEFILE = """\
build-CoreLayer build-DependenciesLayer build-ImagingLayer:
	mkdir -p $(ARTIFACTS_DIR)/python
	echo "$@ $(TARGET) $(PYTHON)" > $(ARTIFACTS_DIR)/python/built.txt
	echo . >> builds.txt
"""
PYTHON = Path(sys.executable)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for file, text in {
        "functions/api/handler.py": "",
        "functions/api/__pycache__/handler.cpython-311.pyc": "stale",
        "layers/Makefile": MAKEFILE,
        "layers/core/revela/__init__.py": "",
        "layers/dependencies/requirements.txt": "",
        "layers/imaging/requirements.txt": "",
    }.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)
    return root


def builds(root: Path) -> int:
    return (root / "layers/builds.txt").read_text().count(".")


def test_layers_are_what_their_makefile_made_for_this_machines_python(root: Path, tmp_path: Path) -> None:
    archives = packaging.build(root, tmp_path / "cache", PYTHON)
    assert set(archives.layers) == set(packaging.LAYER_SOURCES)
    with zipfile.ZipFile(archives.layers["CoreLayer"]) as layer:
        assert layer.read("python/built.txt").decode().split() == ["build-CoreLayer", "host", str(PYTHON)]


def test_unpacked_layers_are_what_functions_import_from(root: Path, tmp_path: Path) -> None:
    archives = packaging.build(root, tmp_path / "cache", PYTHON)
    paths = packaging.unpack(archives.layers, tmp_path / "unpacked")
    assert set(paths) == set(packaging.LAYER_SOURCES)
    for name, path in paths.items():
        assert (path / "built.txt").read_text().startswith(f"build-{name} ")


def test_what_did_not_change_is_not_built_again(root: Path, tmp_path: Path) -> None:
    first = packaging.build(root, tmp_path / "cache", PYTHON)
    assert builds(root) == len(packaging.LAYER_SOURCES)
    assert packaging.build(root, tmp_path / "cache", PYTHON) == first
    assert builds(root) == len(packaging.LAYER_SOURCES)


def test_a_changed_source_is_built_anew_and_replaces_what_it_was(root: Path, tmp_path: Path) -> None:
    before = packaging.build(root, tmp_path / "cache", PYTHON)
    (root / "layers/core/revela/__init__.py").write_text("changed = True")
    after = packaging.build(root, tmp_path / "cache", PYTHON)
    assert after.layers["CoreLayer"] != before.layers["CoreLayer"]
    assert not before.layers["CoreLayer"].exists()
    assert after.layers["ImagingLayer"] == before.layers["ImagingLayer"]
    assert builds(root) == len(packaging.LAYER_SOURCES) + 1


def test_functions_are_packed_without_leftovers_of_other_pythons(root: Path, tmp_path: Path) -> None:
    archive = packaging.build(root, tmp_path / "cache", PYTHON).functions
    with zipfile.ZipFile(archive) as functions:
        assert functions.namelist() == ["api/handler.py"]


def test_a_failing_build_is_told_with_what_it_printed(root: Path, tmp_path: Path) -> None:
    (root / "layers/Makefile").write_text("build-%:\n\t@echo no wheel for $*; exit 1\n")
    with pytest.raises(packaging.BuildFailed, match="no wheel for"):
        packaging.build(root, tmp_path / "cache", PYTHON)
    assert not list((tmp_path / "cache").glob("*Layer*.zip"))
