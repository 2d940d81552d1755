"""What is deployed: the functions in a zip archive, and the layers as their makefile builds them.

Archives are named by what went into them, so only what changed is built again.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

# What each layer is made of, relative to layers/.
LAYER_SOURCES = {
    "CoreLayer": ("Makefile", "core"),
    "DependenciesLayer": ("Makefile", "dependencies/requirements.txt"),
    "ImagingLayer": ("Makefile", "imaging/requirements.txt", "../local/requirements-faces.txt"),
}
FUNCTIONS = "functions"


class BuildFailed(Exception):
    """Carries what the build printed."""


@dataclass(frozen=True)
class Archives:
    functions: Path
    layers: dict[str, Path]


def build(root: Path, cache: Path, python: Path) -> Archives:
    """Build whatever is not in the cache yet, for handlers that run on `python`.

    Raises:
        BuildFailed: a layer's makefile failed.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        functions = pool.submit(_functions_archive, root, cache)
        layers = {name: pool.submit(_layer_archive, name, root, cache, python) for name in LAYER_SOURCES}
        return Archives(functions.result(), {name: layer.result() for name, layer in layers.items()})


def unpack(layers: Mapping[str, Path], target: Path) -> dict[str, Path]:
    """Unpack layers; return what each adds to the import path, as Lambda does with its /opt/python."""
    for name, archive in layers.items():
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(target / name)
    return {name: target / name / "python" for name in layers}


def _functions_archive(root: Path, cache: Path) -> Path:
    sources = [root / FUNCTIONS]
    archive = cache / f"functions-{_fingerprint(root, sources, salt='')}.zip"
    if not archive.exists():
        _zip(root / FUNCTIONS, _files(root / FUNCTIONS), archive)
        _forget_older(archive)
    return archive


def _layer_archive(name: str, root: Path, cache: Path, python: Path) -> Path:
    sources = [root / "layers" / source for source in LAYER_SOURCES[name]]
    archive = cache / f"{name}-{_fingerprint(root, sources, salt=_version(python))}.zip"
    if not archive.exists():
        with TemporaryDirectory(dir=cache) as artifacts:
            _make(name, root, python, Path(artifacts))
            # Bytecode included: it was compiled for the very Python that will run it.
            _zip(Path(artifacts), Path(artifacts).rglob("*"), archive)
        _forget_older(archive)
    return archive


def _make(name: str, root: Path, python: Path, artifacts: Path) -> None:
    tools = Path(sys.executable).parent
    run = subprocess.run(
        ["make", "--silent", "--directory", str(root / "layers"), f"build-{name}"],
        env={
            # A make above us hands its variables down in MAKEFLAGS, where they would win over these.
            **{name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS")},
            "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "TARGET": "host",
            "PYTHON": str(python),
            "ARTIFACTS_DIR": str(artifacts),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise BuildFailed(f"layer {name} could not be built:\n{run.stdout}{run.stderr}")


def _version(python: Path) -> str:
    """Return what tells interpreters apart: a layer holds code that was compiled for just one."""
    return (python.parent.parent / "pyvenv.cfg").read_text()


def _fingerprint(root: Path, sources: Iterable[Path], *, salt: str) -> str:
    digest = hashlib.sha256(salt.encode())
    for source in sources:
        for file in _files(source):
            digest.update(f"{file.relative_to(root)}\0{file.stat().st_size}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _files(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
        return
    for file in sorted(source.rglob("*")):
        if file.is_file() and "__pycache__" not in file.relative_to(source).parts:
            yield file


def _zip(folder: Path, files: Iterable[Path], archive: Path) -> None:
    """Pack without compressing: the archive never leaves this machine, and is unpacked again and again."""
    draft = archive.with_suffix(".draft")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as packed:
        for file in sorted(files):
            if file.is_file():
                packed.write(file, file.relative_to(folder))
    draft.replace(archive)


def _forget_older(archive: Path) -> None:
    kind = archive.name.rpartition("-")[0]
    for other in archive.parent.glob(f"{kind}-*.zip"):
        if other != archive:
            other.unlink(missing_ok=True)
