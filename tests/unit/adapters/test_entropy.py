from __future__ import annotations

from datetime import UTC, datetime, timedelta

from revela.adapters.entropy import SystemEntropy

NOW = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def test_an_id_is_a_prefix_and_a_ulid_of_the_given_time() -> None:
    """The time part of https://github.com/ulid/spec is the milliseconds since the epoch in ten digits."""
    prefix, _, ulid = SystemEntropy().new_id("gen", now=NOW).partition("_")

    assert prefix == "gen"
    assert len(ulid) == 26
    assert set(ulid) <= set(CROCKFORD)
    milliseconds = 0
    for digit in ulid[:10]:
        milliseconds = milliseconds * 32 + CROCKFORD.index(digit)
    assert milliseconds == int(NOW.timestamp() * 1000)


def test_ids_sort_by_time() -> None:
    entropy = SystemEntropy()
    times = [NOW + timedelta(milliseconds=n) for n in (0, 1, 999, 86_400_000, 10**12)]

    ids = [entropy.new_id("gen", now=time) for time in times]

    assert ids == sorted(ids)


def test_ids_of_one_instant_differ() -> None:
    entropy = SystemEntropy()

    assert len({entropy.new_id("gen", now=NOW) for _ in range(1000)}) == 1000


def test_seeds_fit_every_model_and_differ() -> None:
    seeds = [SystemEntropy().seed() for _ in range(1000)]

    assert all(0 <= seed < 2**31 for seed in seeds)
    assert max(seeds) > 2**30
    assert len(set(seeds)) > 990


def test_a_fraction_is_less_than_one() -> None:
    fractions = [SystemEntropy().fraction() for _ in range(1000)]

    assert all(0 <= fraction < 1 for fraction in fractions)
    assert max(fractions) - min(fractions) > 0.5
