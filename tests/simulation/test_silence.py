"""Jobs without any webhook, for minutes; `python -m tests.simulation.silence` measures twenty of them."""

from __future__ import annotations

from datetime import timedelta

from tests.simulation.silence.measure import CREATES_PER_MINUTE, LONG, SHORT, Scenario, measure, misses


def test_at_the_full_rate_every_job_lives_by_polling_alone() -> None:
    measured = measure(Scenario("short", SHORT, minutes=3))

    assert measured.jobs == 3 * CREATES_PER_MINUTE
    assert not list(misses(measured))
    assert measured.longest_unsaved < timedelta(minutes=3)
    # One visit, and a hundredth of a page and a little: the price of a job that nobody reported on.
    assert measured.to_aws_by_reconcile_per_job() < 2
    assert measured.to_replicate_per_job("_page") + measured.to_replicate_per_job("get_prediction") < 0.05


def test_a_slow_listing_hides_no_job_of_several_minutes() -> None:
    measured = measure(Scenario("long", LONG, page_s=2.0, minutes=4))

    assert not list(misses(measured))


def test_a_judge_that_takes_its_time_is_asked_again_until_it_has_answered() -> None:
    measured = measure(Scenario("judged", SHORT, judge_s=(20.0, 90.0), minutes=2, creates_per_minute=300))

    assert not list(misses(measured))
    assert len(measured.unjudged) == measured.jobs == 2 * 300
    assert measured.longest_unsaved < timedelta(minutes=3)
    # A verdict is not waited for but looked for: at the next run, or at the one after.
    assert measured.longest_unjudged < timedelta(seconds=90) + timedelta(minutes=2.5)
    assert measured.to_aws_by_reconcile_per_job() < 3.5
