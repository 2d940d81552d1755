from __future__ import annotations

from datetime import UTC, datetime, timedelta

from revela.domain.model_health import FAILURES_MAX, RESTS_FOR, ModelHealth

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def failed(times: int, *, health: ModelHealth | None = None, at: datetime = NOW) -> ModelHealth:
    health = health or ModelHealth("flux-dev")
    for _ in range(times):
        health = health.failed(at)
    return health


def test_a_model_rests_after_repeated_failures_and_not_before() -> None:
    assert failed(FAILURES_MAX - 1).rests_until(NOW) is None
    assert failed(FAILURES_MAX).rests_until(NOW) == NOW + RESTS_FOR


def test_it_is_tried_again_when_its_rest_is_over() -> None:
    health = failed(FAILURES_MAX)

    assert health.rests_until(NOW + RESTS_FOR - timedelta(microseconds=1)) is not None
    assert health.rests_until(NOW + RESTS_FOR) is None


def test_the_first_failure_after_a_rest_makes_it_rest_again() -> None:
    later = NOW + RESTS_FOR

    assert failed(1, health=failed(FAILURES_MAX), at=later).rests_until(later) == later + RESTS_FOR


def test_a_success_clears_its_name() -> None:
    health = failed(FAILURES_MAX).succeeded()

    assert health.rests_until(NOW) is None
    assert failed(FAILURES_MAX - 1, health=health).rests_until(NOW) is None


def test_every_change_is_a_new_version() -> None:
    assert [failed(n).version for n in range(3)] == [0, 1, 2]
    assert failed(2).succeeded().version == 3
