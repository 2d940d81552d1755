"""Whatever JSON a body is: it is taken, or refused with the names of what was wrong, and never our fault."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.functions.api.client import ApiPorts, Client
from tests.unit.functions.api.rows import judged, subscribed

FIELDS = {
    "/v1/generations/{generation}/appeal": ("POST", ("reason",)),
    "/v1/models": ("POST", ("name", "kind", "class_word", "trigger_word", "consent")),
    "/v1/models/{model}": ("PATCH", ("name", "chosen_version")),
    "/v1/models/{model}/photos": ("POST", ("files",)),
    "/v1/models/{model}/photos/{photo}": ("PATCH", ("category",)),
    "/v1/models/{model}/trainings": (
        "POST",
        ("trainer", "steps", "resolution", "learning_rate", "batch_size", "lora_rank", "autocaption"),
    ),
}
INNER = ("accepted", "text_version", "content_type")
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=100)
    | st.sampled_from(["face", "image/jpeg", "flux-lora", "ZOKLIRAF"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(INNER), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("path", FIELDS)
def test_any_body_is_answered(path: str, api: Client, ports: ApiPorts) -> None:
    life = subscribed(ports, "developer")
    model = life.create()
    photo = life.checked(model)
    blocked = judged(ports, "nudity")
    method, fields = FIELDS[path]
    address = path.format(model=model.id, photo=photo.id, generation=blocked.id)

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.dictionaries(st.sampled_from([*fields, "another"]), VALUES))
    def send(body: dict[str, Any]) -> None:
        answer = api.call(method, address, body)

        assert answer.status < 500
        if answer.status == 422:
            assert {name.partition(".")[0] for name in answer.invalid} <= {*body, *fields}

    send()
