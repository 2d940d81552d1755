from __future__ import annotations

from datetime import timedelta

import pytest

from revela.domain.errors import NotFound
from revela.domain.generation import Generation, Output
from revela.domain.job import State
from revela.ports import Ref
from revela.usecases.show_generation import show_generation, view
from tests.examples import a_generation
from tests.fakes import FakePorts

REF = Ref("ana", "gen_01")


@pytest.fixture(autouse=True)
def every_invariant_holds_afterwards() -> None:
    """Not here: rows are placed by hand, without accounts, and only looked at."""


def delivered(id_: str = "gen_01", **changes: object) -> Generation:
    output = Output(
        index=0,
        key=f"users/ana/{id_}/1-0.webp",
        content_type="image/webp",
        width=1024,
        height=1024,
        size_bytes=5,
        sha256="00" * 32,
        thumbnail_key=f"users/ana/{id_}/1-0-thumbnail.webp",
        thumbnail_width=512,
        thumbnail_height=512,
    )
    return a_generation(id_, **{"state": State.SUCCEEDED, "outputs": (output,), **changes})


def only(ports: FakePorts, row: Generation) -> Generation:
    ports.store.generations[Ref(row.user_id, row.id)] = row
    return row


def test_images_and_thumbnails_come_with_urls_and_their_end(ports: FakePorts) -> None:
    shows = view([delivered()], ports=ports)[0]

    keys = ("users/ana/gen_01/1-0.webp", "users/ana/gen_01/1-0-thumbnail.webp")
    assert set(shows.urls) == set(keys)
    assert all(key in shows.urls[key] for key in keys)
    assert shows.urls_expire_at is not None
    assert ports.clock.now() < shows.urls_expire_at <= ports.clock.now() + timedelta(minutes=15)


def test_without_images_nothing_is_signed(ports: FakePorts) -> None:
    shows = view([a_generation()], ports=ports)[0]

    assert (shows.urls, shows.urls_expire_at) == ({}, None)


def test_each_view_has_the_urls_of_its_own_images_only(ports: FakePorts) -> None:
    views = view([delivered("gen_01"), a_generation("gen_02"), delivered("gen_03")], ports=ports)

    assert [[key.split("/")[2] for key in v.urls] for v in views] == [["gen_01"] * 2, [], ["gen_03"] * 2]
    assert views[1].urls_expire_at is None


def test_the_tag_is_the_row_and_the_window_of_its_urls(ports: FakePorts) -> None:
    first = view([delivered(version=3)], ports=ports)[0].tag
    ports.clock.advance(timedelta(minutes=4, seconds=59))
    assert view([delivered(version=3)], ports=ports)[0].tag == first
    ports.clock.advance(timedelta(seconds=1))

    assert view([delivered(version=3)], ports=ports)[0].tag != first
    assert view([a_generation(version=3)], ports=ports)[0].tag == "3"


@pytest.mark.parametrize(
    "row", [None, a_generation(state=State.DELETING), a_generation(user_id="bia")], ids=str
)
def test_what_is_gone_going_or_anothers_is_not_found(row: Generation | None, ports: FakePorts) -> None:
    if row:
        only(ports, row)

    with pytest.raises(NotFound):
        show_generation(REF, ports=ports)


@pytest.mark.parametrize("state", [state for state in State if state is not State.DELETING])
def test_every_other_state_is_shown(state: State, ports: FakePorts) -> None:
    row = only(ports, a_generation(state=state))

    assert show_generation(REF, ports=ports).generation == row
