"""Rows and changes: the same cases over the fake store and over DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from revela.domain.account import Portion, Suspension
from revela.domain.change import (
    AccountWrite,
    Change,
    GrantReceipt,
    IdempotencyKey,
    JobWrite,
    ModelWrite,
    PredictionClaim,
)
from revela.domain.errors import Conflict
from revela.domain.generation import Appeal, Blocked, Doubt, Generation, Output, Quarantined
from revela.domain.job import Failure, State
from revela.domain.judgement import Judgement, Ticket
from revela.domain.ledger import EntryKind
from revela.domain.personal_model import ModelState
from revela.ports import ModelRef, Ref
from tests.contract.aws import NAMES, REGION
from tests.contract.model_stores import a_model
from tests.contract.model_stores import opened as opened_for_models
from tests.contract.stores import KINDS, StorePorts, opened, ref
from tests.examples import a_generation, an_account, an_entry
from tests.fakes.clock import START

HOUR = timedelta(hours=1)


@pytest.fixture(params=KINDS)
def ports(request: pytest.FixtureRequest) -> Iterator[StorePorts]:
    with opened(request.param) as found:
        yield found


def failed_parts(ports: StorePorts, change: Change) -> set[str]:
    with pytest.raises(Conflict) as conflict:
        ports.changes.commit(change)
    return set(conflict.value.failed)


def a_key(accepted: Generation, **changes: Any) -> IdempotencyKey:
    values: dict[str, Any] = {
        "user_id": "ana",
        "id": "key#generations#1",
        "request_hash": "abc",
        "accepted": accepted,
        "expires_at": START + HOUR,
    }
    return IdempotencyKey(**values | changes)


# Rows


def test_a_row_is_read_as_it_was_written(ports: StorePorts) -> None:
    at = datetime(2026, 3, 2, 12, 34, 56, 789012, tzinfo=UTC)
    full = a_generation(
        state=State.SUCCEEDED,
        params={
            "prompt": "café ✓ 👩🏽",
            "guidance_scale": 7.5,
            "num_outputs": 2,
            "seed": 2**31 - 1,
            "raw": None,
        },
        held_from=(Portion(grant_id="promo", credits=2), Portion(grant_id="plan:free", credits=4)),
        credits_charged=3,
        due_at=None,
        not_before=at,
        attempt=2,
        failures=1,
        claimed_at=at,
        lease_until=at,
        deadline_at=at,
        fingerprint="f" * 64,
        prediction_id="p1",
        cancel_requested_at=at,
        started_at=at,
        completed_at=at,
        predict_time_s=2.125,
        provider_cost_micro_usd=50_000,
        outputs=(
            Output(
                index=0,
                key="users/ana/generations/gen_01/1-0.webp",
                content_type="image/webp",
                width=1024,
                height=1024,
                size_bytes=12345,
                sha256="0" * 64,
                thumbnail_key="users/ana/generations/gen_01/1-0-thumbnail.webp",
                thumbnail_width=512,
                thumbnail_height=512,
            ),
        ),
        failure=Failure(code="timeout", detail=None),
    )

    assert ports.write(full) == [full]


def test_a_minimal_row_is_read_as_it_was_written(ports: StorePorts) -> None:
    row = a_generation()

    assert ports.write(row) == [row]


def test_an_account_is_read_as_it_was_written(ports: StorePorts) -> None:
    account = an_account()
    ports.changes.commit(Change(now=START, account=AccountWrite(None, account)))

    assert ports.accounts.get("ana") == account


def an_image(index: int, found: Judgement | Ticket | None) -> Quarantined:
    return Quarantined(
        index=index,
        key=f"quarantine/ana/gen_01/2/{index}",
        content_type="image/png",
        extension="png",
        width=1024,
        height=768,
        size_bytes=12345 + index,
        sha256=f"{index}" * 64,
        found=found,
    )


def test_a_row_that_is_judged_is_read_as_it_was_written(ports: StorePorts) -> None:
    at = datetime(2026, 3, 2, 12, 34, 56, 789012, tzinfo=UTC)
    row = a_generation(
        state=State.JUDGING,
        doubts=(
            Doubt(field="prompt", rule="sexual.art", category="sexual"),
            Doubt(field="class_word", rule="minors.words", category="minors"),
        ),
        prompt_judged_at=at,
        cancel_is_free=True,
        judging_since=at + HOUR,
        quarantined=(
            an_image(0, None),
            an_image(1, Ticket(id="rrr4z55ocneqzikepnug6xezpe")),
            an_image(2, Judgement(cost_micro_usd=225)),
            an_image(3, Judgement(category="nudity", cost_micro_usd=1_000)),
        ),
    )

    (read,) = ports.write(row)

    assert read == row
    assert [type(image.found) for image in read.quarantined] == [type(None), Ticket, Judgement, Judgement]


def test_what_was_blocked_and_its_appeal_are_read_as_they_were_written(ports: StorePorts) -> None:
    at = datetime(2026, 3, 2, 12, 34, 56, 789012, tzinfo=UTC)
    row = a_generation(
        state=State.FAILED,
        due_at=None,
        blocked=(Blocked(index=0, category="nudity", key="quarantine/ana/gen_01/1/0", appealable_until=at),),
        appeal=Appeal(appealed_at=at, reason="It is a statue ✓."),
        failure=Failure(code="moderated", detail="nudity,other"),
    )
    silent = a_generation("gen_02", appeal=Appeal(appealed_at=at))

    assert ports.write(row, silent) == [row, silent]


def test_a_blocked_image_that_is_not_kept_is_read_as_it_was_written(ports: StorePorts) -> None:
    """Where `blocked_kept` is 0."""
    row = a_generation(blocked=(Blocked(index=1, category="hate", key=None, appealable_until=None),))

    assert ports.write(row) == [row]


def test_consent_that_was_withdrawn_is_read_as_it_was_written() -> None:
    for kind in KINDS:
        with opened_for_models(kind) as ports:
            model = a_model(state=ModelState.DELETING)
            consent = model.consent.model_copy(update={"withdrawn_at": START + timedelta(microseconds=1)})
            withdrawn = model.model_copy(update={"consent": consent})
            ports.changes.commit(Change(now=START, model=ModelWrite(None, withdrawn)))

            assert ports.models.get(ModelRef(model.user_id, model.id)) == withdrawn


def test_a_suspended_account_is_read_as_it_was_written(ports: StorePorts) -> None:
    until = START + timedelta(days=7, microseconds=1)
    account = an_account(
        blocks_today=4,
        strikes_today=11,
        suspensions=2,
        suspension=Suspension(reason="too_many_refusals", since=START, until=until),
    )
    ports.changes.commit(Change(now=START, account=AccountWrite(None, account)))

    assert ports.accounts.get("ana") == account


def test_a_suspension_that_is_lifted_is_gone(ports: StorePorts) -> None:
    suspension = Suspension(reason="too_many_refusals", since=START, until=START + HOUR)
    ports.changes.commit(
        Change(now=START, account=AccountWrite(None, an_account(suspension=suspension, suspensions=1)))
    )
    seen = ports.accounts.get("ana")
    assert seen is not None
    lifted = seen.model_copy(update={"suspension": None, "suspensions": 0})
    ports.changes.commit(Change(now=START, account=AccountWrite(seen, lifted)))

    assert ports.accounts.get("ana") == lifted.model_copy(update={"version": 2})


def test_what_was_in_quarantine_is_gone_from_a_row_that_has_ended(ports: StorePorts) -> None:
    (judging,) = ports.write(a_generation(state=State.JUDGING, quarantined=(an_image(0, None),)))
    ended = judging.model_copy(update={"state": State.FAILED, "quarantined": (), "due_at": None})
    ports.changes.commit(Change(now=START, job=JobWrite(judging, ended)))

    assert ports.read(judging).quarantined == ()


def test_what_was_written_before_anything_was_judged_is_still_read() -> None:
    """Rows of the version before have none of the attributes that judging brought."""
    with opened("dynamodb") as ports:
        ports.write(a_generation())
        ports.changes.commit(Change(now=START, account=AccountWrite(None, an_account())))
        judging = ("doubts", "prompt_judged_at", "quarantined", "judging_since", "blocked", "appeal")
        strip(NAMES.generations, "gen_01", (*judging, "cancel_is_free"))
        strip(NAMES.credits, "account", ("blocks_today", "strikes_today", "suspension", "suspensions"))

        read, account = ports.read(a_generation()), ports.accounts.get("ana")

        assert read == a_generation()
        assert not read.undecided
        assert account == an_account()
        # And they can be written on.
        starting = read.model_copy(update={"state": State.STARTING})
        ports.changes.commit(
            Change(now=START, job=JobWrite(read, starting), account=AccountWrite(account, account))
        )
        assert ports.read(read).state is State.STARTING


def strip(table: str, id_: str, attributes: tuple[str, ...]) -> None:
    """Take attributes from an item, which has to be there."""
    boto3.client("dynamodb", region_name=REGION).update_item(
        TableName=table,
        Key={"user_id": {"S": "ana"}, "id": {"S": id_}},
        UpdateExpression="REMOVE " + ", ".join(f"#{n}" for n in range(len(attributes))),
        ConditionExpression="attribute_exists(id)",
        ExpressionAttributeNames={f"#{n}": name for n, name in enumerate(attributes)},
    )


def test_what_was_never_written_is_not_found(ports: StorePorts) -> None:
    assert ports.generations.get(Ref("ana", "gen_none")) is None
    assert ports.accounts.get("ana") is None
    assert ports.generations.first_waiting("ana") is None
    assert ports.generations.idempotency_key("ana", "key#generations#1") is None
    assert ports.generations.get_many([Ref("ana", "gen_none")]) == []


def test_another_users_row_is_not_found(ports: StorePorts) -> None:
    ports.write(a_generation())

    assert ports.generations.get(Ref("bia", "gen_01")) is None


def test_many_rows_are_read_at_once_and_each_once(ports: StorePorts) -> None:
    rows = ports.write(*(a_generation(f"gen_{n:03}") for n in range(120)))

    found = ports.generations.get_many([*map(ref, rows), ref(rows[0]), Ref("ana", "gen_none")])

    assert sorted(found, key=lambda row: row.id) == rows


# Changes


def test_a_written_row_carries_the_next_version(ports: StorePorts) -> None:
    (first,) = ports.write(a_generation(version=99))
    write = JobWrite(first, first.model_copy(update={"state": State.STARTING, "version": 42}))
    ports.changes.commit(Change(now=START, job=write))

    assert (first.version, ports.read(first).version) == (1, 2)
    assert ports.read(first) == write.stored


def test_a_row_that_moved_on_is_not_overwritten(ports: StorePorts) -> None:
    (seen,) = ports.write(a_generation())
    starting = seen.model_copy(update={"state": State.STARTING})
    ports.changes.commit(Change(now=START, job=JobWrite(seen, starting)))

    canceled = seen.model_copy(update={"state": State.CANCELED})
    assert failed_parts(ports, Change(now=START, job=JobWrite(seen, canceled))) == {"job"}
    assert ports.read(seen).state is State.STARTING


def test_a_row_that_is_gone_is_not_brought_back(ports: StorePorts) -> None:
    (seen,) = ports.write(a_generation())
    ports.generations.remove(seen)

    assert failed_parts(ports, Change(now=START, job=JobWrite(seen, seen))) == {"job"}
    assert ports.generations.get(ref(seen)) is None


def test_a_new_row_does_not_replace_one_that_exists(ports: StorePorts) -> None:
    ports.write(a_generation())

    assert failed_parts(ports, Change(now=START, job=JobWrite(None, a_generation()))) == {"job"}


def test_an_account_that_others_wrote_is_not_overwritten(ports: StorePorts) -> None:
    ports.changes.commit(Change(now=START, account=AccountWrite(None, an_account())))
    seen = ports.accounts.get("ana")
    assert seen is not None
    one, other = (seen.model_copy(update={"available": available}) for available in (10, 12))
    ports.changes.commit(Change(now=START, account=AccountWrite(seen, one)))

    assert failed_parts(ports, Change(now=START, account=AccountWrite(seen, other))) == {"account"}
    found = ports.accounts.get("ana")
    assert found is not None
    assert (found.available, found.version) == (10, 2)


def test_a_whole_change_is_written_at_once(ports: StorePorts) -> None:
    waiting = a_generation(state=State.WAITING)
    change = Change(
        now=START,
        job=JobWrite(None, waiting),
        account=AccountWrite(None, an_account()),
        entries=(an_entry(1), an_entry(2, kind=EntryKind.EXPIRE, credits=-1, balance=19)),
        pointer_added=waiting,
        prediction=PredictionClaim("p1", "gen_01:1", START + HOUR),
        idempotency_key=a_key(waiting),
        receipt=GrantReceipt("ana", "order-1"),
    )
    ports.changes.commit(change)

    assert ports.read(waiting) == waiting
    assert ports.accounts.get("ana") == an_account()
    assert ports.accounts.ledger("acc_1", limit=5, cursor=None).items == list(reversed(change.entries))
    assert ports.generations.first_waiting("ana") == ref(waiting)
    assert ports.generations.idempotency_key("ana", "key#generations#1") == change.idempotency_key


def test_of_a_change_that_fails_nothing_is_written(ports: StorePorts) -> None:
    ports.changes.commit(Change(now=START, entries=(an_entry(1),)))
    waiting = a_generation(state=State.WAITING)
    change = Change(
        now=START,
        job=JobWrite(None, waiting),
        account=AccountWrite(None, an_account()),
        entries=(an_entry(1),),
        pointer_added=waiting,
        prediction=PredictionClaim("p1", "gen_01:1", START + HOUR),
        idempotency_key=a_key(waiting),
        receipt=GrantReceipt("ana", "order-1"),
    )

    assert failed_parts(ports, change) == {"entries"}
    assert ports.generations.get(ref(waiting)) is None
    assert ports.accounts.get("ana") is None
    assert ports.generations.first_waiting("ana") is None
    assert ports.generations.idempotency_key("ana", "key#generations#1") is None
    ports.changes.commit(replace(change, entries=(an_entry(2),)))


def test_a_conflict_names_every_part_that_failed(ports: StorePorts) -> None:
    row, account = a_generation(), an_account()
    first = Change(
        now=START,
        job=JobWrite(None, row),
        account=AccountWrite(None, account),
        entries=(an_entry(1),),
        pointer_added=row,
        prediction=PredictionClaim("p1", "gen_01:1", START + HOUR),
        idempotency_key=a_key(row),
        receipt=GrantReceipt("ana", "order-1"),
    )
    ports.changes.commit(first)
    again = replace(first, prediction=PredictionClaim("p1", "gen_02:1", START + HOUR))

    assert failed_parts(ports, again) == {
        "job",
        "account",
        "entries",
        "pointer",
        "prediction",
        "idempotency_key",
        "receipt",
    }


def test_only_the_parts_that_failed_are_named(ports: StorePorts) -> None:
    ports.changes.commit(Change(now=START, account=AccountWrite(None, an_account())))
    change = Change(
        now=START,
        job=JobWrite(None, a_generation()),
        account=AccountWrite(None, an_account()),
        pointer_removed=a_generation(),
    )

    assert failed_parts(ports, change) == {"account", "pointer"}


# Pointers


def test_the_smallest_pointer_has_waited_longest(ports: StorePorts) -> None:
    rows = [a_generation(f"gen_0{n}", state=State.WAITING) for n in (2, 1, 3)]
    for row in rows:
        ports.changes.commit(Change(now=START, job=JobWrite(None, row), pointer_added=row))

    assert ports.generations.first_waiting("ana") == Ref("ana", "gen_01")
    assert ports.generations.first_waiting("bia") is None


def test_a_pointer_is_removed_once(ports: StorePorts) -> None:
    row = a_generation(state=State.WAITING)
    ports.changes.commit(Change(now=START, job=JobWrite(None, row), pointer_added=row))
    seen = ports.read(row)
    change = Change(now=START, job=JobWrite(seen, seen), pointer_removed=seen)
    ports.changes.commit(change)

    assert ports.generations.first_waiting("ana") is None
    now = ports.read(row)
    assert failed_parts(ports, replace(change, job=JobWrite(now, now))) == {"pointer"}


# Marks


def test_a_prediction_belongs_to_its_first_owner(ports: StorePorts) -> None:
    claim = PredictionClaim("p1", "gen_01:1", START + HOUR)
    ports.changes.commit(Change(now=START, prediction=claim))
    ports.changes.commit(Change(now=START, prediction=claim))

    assert failed_parts(ports, Change(now=START, prediction=replace(claim, owner="orphan"))) == {"prediction"}


def test_an_idempotency_key_is_taken_until_it_expires(ports: StorePorts) -> None:
    row = a_generation()
    ports.changes.commit(Change(now=START, idempotency_key=a_key(row)))
    second = a_key(row, request_hash="def", expires_at=START + 3 * HOUR)

    early = Change(now=START + HOUR - timedelta(microseconds=1), idempotency_key=second)
    assert failed_parts(ports, early) == {"idempotency_key"}
    ports.changes.commit(Change(now=START + HOUR, idempotency_key=second))
    assert ports.generations.idempotency_key("ana", second.id) == second


def test_a_grant_is_received_once_per_user(ports: StorePorts) -> None:
    ports.changes.commit(Change(now=START, receipt=GrantReceipt("ana", "order-1")))

    assert failed_parts(ports, Change(now=START, receipt=GrantReceipt("ana", "order-1"))) == {"receipt"}
    ports.changes.commit(Change(now=START, receipt=GrantReceipt("bia", "order-1")))


def test_an_entry_is_written_once(ports: StorePorts) -> None:
    ports.changes.commit(Change(now=START, entries=(an_entry(1),)))

    assert failed_parts(ports, Change(now=START, entries=(an_entry(1, credits=500),))) == {"entries"}
    assert ports.accounts.ledger("acc_1", limit=5, cursor=None).items == [an_entry(1)]


# Removing


def test_a_row_is_removed_only_as_it_was_read(ports: StorePorts) -> None:
    (seen,) = ports.write(a_generation())
    ports.changes.commit(Change(now=START, job=JobWrite(seen, seen)))

    with pytest.raises(Conflict) as conflict:
        ports.generations.remove(seen)
    assert conflict.value.failed == {"job"}
    ports.generations.remove(ports.read(seen))
    assert ports.generations.get(ref(seen)) is None


def test_removing_what_is_gone_is_no_conflict(ports: StorePorts) -> None:
    (seen,) = ports.write(a_generation())
    ports.generations.remove(seen)

    ports.generations.remove(seen)
