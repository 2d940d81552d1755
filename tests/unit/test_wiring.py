"""What template.yaml gives each function is enough for everything that its use cases ask for."""

from __future__ import annotations

import pytest

from revela.bootstrap.wiring import Wiring
from revela.settings import Settings
from tests.unit.function_settings import FUNCTIONS, TOUCHED, environment_of

CASES = [(function, port) for function, ports in TOUCHED.items() for port in ports]


def test_every_function_is_in_the_table() -> None:
    assert set(TOUCHED) == set(FUNCTIONS)


@pytest.mark.parametrize(("function", "port"), CASES)
def test_a_function_can_make_every_port_that_it_touches(
    function: str, port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    for name, value in environment_of(function).items():
        if name.startswith("POWERTOOLS_"):
            monkeypatch.setenv(name, value)
    assert getattr(Wiring(Settings(environment_of(function))), port)


@pytest.mark.parametrize(
    ("inspector", "adapter"), [("rekognition", "RekognitionFaces"), ("opencv", "OpenCvFaces")]
)
def test_the_settings_name_who_finds_faces(inspector: str, adapter: str) -> None:
    wiring = Wiring(Settings({"FACE_INSPECTOR": inspector, "AWS_REGION": "us-east-1"}))

    assert type(wiring.faces).__name__ == adapter
    assert type(wiring.photo_files).__name__ == "PillowPhotoFiles"
