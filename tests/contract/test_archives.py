"""Archives over the bucket: whole or not at all, equal for equal photos, and small in memory."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from revela.adapters.archives import ZipArchives
from revela.adapters.s3 import S3Objects
from revela.domain.errors import ArchiveIncomplete, Transient
from revela.ports import ArchiveEntry, Objects
from tests.contract.aws import REGION, aws
from tests.fakes import FakeObjects
from tests.fakes.clock import START

ROOT = Path(__file__).parents[2]
# Thirty photos of three megabytes: what is packed is ninety, what packing may add to the process far less.
PHOTOS, PHOTO_BYTES, MAY_ADD_BYTES = 30, 3_000_000, 16_000_000


@pytest.fixture(params=["memory", "s3"])
def objects(request: pytest.FixtureRequest) -> Iterator[Objects]:
    if request.param == "memory":
        yield FakeObjects()
        return
    with aws():
        client = boto3.client("s3", region_name=REGION)
        client.create_bucket(Bucket="images")
        yield S3Objects(client, "images", world_time=lambda: START)


def entry(objects: Objects, n: int, data: bytes) -> ArchiveEntry:
    key = f"photos/ana/mdl_01/pho_{n}/x.jpg"
    objects.put_bytes(key, data, content_type="image/jpeg")
    return ArchiveEntry(f"{n:02d}.jpg", key, hashlib.sha256(data).hexdigest())


def test_every_photo_is_in_it_byte_for_byte_in_order(objects: Objects) -> None:
    photos = [bytes([n]) * 300_000 for n in range(1, 4)]
    entries = [entry(objects, n, data) for n, data in enumerate(photos, start=1)]

    with ZipArchives(objects).pack(entries) as path, zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["01.jpg", "02.jpg", "03.jpg"]
        assert [archive.read(name) for name in archive.namelist()] == photos
        assert archive.testzip() is None

    assert not path.exists()


def test_equal_photos_make_equal_archives(objects: Objects) -> None:
    entries = [entry(objects, 1, b"photo")]
    archives = ZipArchives(objects)

    made = []
    for _ in range(2):
        with archives.pack(entries) as path:
            made.append(path.read_bytes())

    assert made[0] == made[1]


def test_a_photo_that_is_gone_or_changed_makes_none(objects: Objects) -> None:
    good, gone, changed = [entry(objects, n, b"photo %d" % n) for n in range(3)]
    objects.delete([gone.key])
    objects.put_bytes(changed.key, b"somebody else", content_type="image/jpeg")

    for bad in (gone, changed):
        with pytest.raises(ArchiveIncomplete), ZipArchives(objects).pack([good, bad]):
            pass


def test_a_bucket_that_does_not_answer_is_transient() -> None:
    objects = FakeObjects()
    entries = [entry(objects, 1, b"photo")]
    objects.failure = Transient("S3")

    with pytest.raises(Transient), ZipArchives(objects).pack(entries):
        pass


MEASURED = """
import hashlib, json, resource, sys, tempfile
from contextlib import contextmanager
from pathlib import Path
from revela.adapters.archives import ZipArchives
from revela.ports import ArchiveEntry, Fetched

photos, size, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
entries = []
for n in range(photos):
    file = folder / str(n)
    with file.open("wb") as target:
        digest = hashlib.sha256()
        for _ in range(size // 100_000):
            target.write(piece := n.to_bytes(1, "big") * 100_000)
            digest.update(piece)
    entries.append(ArchiveEntry(f"{n:02d}.jpg", str(n), digest.hexdigest()))


class Disk:
    @contextmanager
    def fetch(self, key, *, max_bytes):
        yield Fetched(folder / key, size, "1")


def peak():
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # On Linux a process starts with its parent's ru_maxrss; this one is its own.
    return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024


before = peak()
with ZipArchives(Disk()).pack(entries) as path:
    print(json.dumps({"before": before, "after": peak(), "archive": path.stat().st_size}))
"""


def test_thirty_photos_are_packed_in_little_memory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(PHOTOS), str(PHOTO_BYTES), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "layers/core")},
    )
    measured = json.loads(done.stdout)

    assert measured["archive"] > PHOTOS * PHOTO_BYTES
    assert measured["after"] - measured["before"] < MAY_ADD_BYTES, measured
