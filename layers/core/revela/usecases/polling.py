"""Poll the provider: what became of the predictions that nobody reported on.

Pages of its listing tell of a hundred at once; single requests are for those it did not show. A
create whose answer was lost is found in the listing by its fingerprint, or was never made.

What is learned is passed on at once: a process that is stopped in the middle has still told the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from revela.domain.errors import (
    Permanent,
    ProviderNotFound,
    ProviderThrottled,
    ProviderTransient,
    Refused,
    Transient,
)
from revela.domain.job import Event, Failure, Job, State, fingerprint
from revela.domain.policy import DEADLINE_MARGIN, LOST_CREATES_MAX
from revela.domain.prediction import Prediction, PredictionStatus
from revela.domain.retry import REFUSED_WAIT, backoff
from revela.domain.training import Training
from revela.domain.training_progress import read_training_progress
from revela.ports import Ports, ProviderReport, Ref
from revela.usecases.moving import Move, move
from revela.usecases.provider_predictions import adopt, calls_for, cancel_at_provider

# Up to this many rows, single requests are cheaper than pages of a hundred.
SINGLE_GETS = 3
# The listing leaves logs out, and with them how far a training is: up to this many are asked one by one.
TRAINING_GETS = 50
# Reports that go into one call of the queue's.
REPORTS_AT_ONCE = 10
# The provider's clock is not ours: its listing is read from a little before the first claim.
CLOCKS_DIFFER = timedelta(minutes=1)
# Where nothing depends on it: how far apart a claim and its prediction usually are.
A_MOMENT = timedelta(seconds=10)
# Where it does: a create whose answer was lost may have waited at the provider's door, but no longer.
CREATE_MAY_TAKE = timedelta(minutes=5)
# Past its deadline by so much a job ends whatever the provider does not answer: its own deadline has
# long acted, and outputs that nobody could read by then are about to be deleted.
PATIENCE = timedelta(minutes=30)
# The listing is newest first. Read in spans that a run has time for, each to its end, the old ones are
# reached however many were created since.
SPAN = timedelta(minutes=2)
# A request usually takes half a second. To set aside its time-out instead would leave a run no time to
# read what 600 creates a minute amount to; one that hangs at the end of a run loses only itself.
ONE_CALL_NEEDS = timedelta(seconds=15)

Seen = tuple[Job, Prediction]


@dataclass
class _Listing:
    """`unseen`: rows that no page has shown yet, by prediction id."""

    unseen: dict[str, Job]
    by_fingerprint: dict[str, list[Prediction]] = field(default_factory=dict)


def poll_predictions(rows: Sequence[Job], *, ports: Ports, until: datetime) -> None:
    """Pass on what ended, adopt what was lost, cancel what is to end. `until`: when this process ends.

    Rows are of one kind. What the provider does not tell now is asked again when its row is due again.
    """
    listing = _Listing({row.prediction_id: row for row in rows if row.prediction_id is not None})
    one_by_one = TRAINING_GETS if any(isinstance(row, Training) for row in rows) else SINGLE_GETS
    # The oldest first: they are the next whose outputs the provider deletes.
    for span in _spans(rows):
        lost = [row for row in span if row.prediction_id is None]
        first, last = _claimed_at(span[0]), _claimed_at(span[-1])
        if lost:
            after, before = first - CLOCKS_DIFFER, last + CREATE_MAY_TAKE
            whole = _read_listing(listing, lost, span, ports, until, after=after, before=before)
            _pass_on(_found(lost, listing, whole, ports), ports, until)
        elif len(span) > one_by_one:
            after, before = first - A_MOMENT, last + A_MOMENT
            _read_listing(listing, (), span, ports, until, after=after, before=before)
        missing = [row for row in span if row.prediction_id in listing.unseen]
        _pass_on(_asked_singly(missing, ports, until), ports, until)


def _beyond_patience(row: Job, ports: Ports) -> bool:
    return row.deadline_at is not None and ports.clock.now() >= row.deadline_at + PATIENCE


def _claimed_at(row: Job) -> datetime:
    return row.claimed_at or row.created_at


def _spans(rows: Iterable[Job]) -> list[list[Job]]:
    """Return the rows in groups that were claimed within a short time of each other, oldest first."""
    spans: list[list[Job]] = []
    for row in sorted(rows, key=_claimed_at):
        if spans and _claimed_at(row) - _claimed_at(spans[-1][0]) <= SPAN:
            spans[-1].append(row)
        else:
            spans.append([row])
    return spans


def _pass_on(seen: Iterable[Seen], ports: Ports, until: datetime) -> None:
    """Tell `finish_generation` of those that have ended, a few at a time."""
    reports: list[ProviderReport] = []
    for row, prediction in seen:
        with _left_for_next_poll(row, ports):
            if report := _report(row, prediction, ports, until):
                reports.append(report)
        if len(reports) == REPORTS_AT_ONCE:
            _send(reports, ports)
            reports = []
    if reports:
        _send(reports, ports)


def _send(reports: Sequence[ProviderReport], ports: Ports) -> None:
    try:
        ports.commands.finish(reports)
    except Transient as error:
        ports.telemetry.warning("finish_not_sent", count=len(reports), reason=str(error))


def _report(row: Job, prediction: Prediction, ports: Ports, until: datetime) -> ProviderReport | None:
    """Return what `finish_generation` is to hear; a prediction that runs and should not is canceled."""
    if not prediction.status.terminal:
        if isinstance(row, Training):
            _note_progress(row, prediction, ports)
        late = row.deadline_at is not None and ports.clock.now() >= row.deadline_at + DEADLINE_MARGIN
        if not (late or row.cancel_requested_at is not None) or not _may_call(ports, until):
            return None
        answer = cancel_at_provider(row, ports=ports)
        if answer is None or not answer.status.terminal:
            if (late and answer is not None) or _beyond_patience(row, ports):
                _time_out(row, ports)
            return None
        prediction = answer
    return ProviderReport(_ref(row), row.attempt, prediction)


def _found(lost: Sequence[Job], listing: _Listing, whole: bool, ports: Ports) -> Iterator[Seen]:
    for row in lost:
        with _left_for_next_poll(row, ports):
            if adopted := _find_lost(row, listing, whole, ports):
                yield adopted


def _asked_singly(rows: Sequence[Job], ports: Ports, until: datetime) -> Iterator[Seen]:
    for row in rows:
        assert row.prediction_id is not None
        with _left_for_next_poll(row, ports):
            if prediction := _get(row.prediction_id, _ref(row), ports, until):
                yield row, prediction


@contextmanager
def _left_for_next_poll(row: Job, ports: Ports) -> Iterator[None]:
    """Keep what fails for one row from the others: it is due again."""
    try:
        yield
    except (Transient, Refused, ValueError) as error:
        ports.telemetry.warning("poll_failed", job_id=row.id, reason=type(error).__name__)


def _find_lost(row: Job, listing: _Listing, whole: bool, ports: Ports) -> tuple[Job, Prediction] | None:
    """Adopt the prediction of a create whose answer was lost; give the create up if there is none.

    Another job may have sent the very same input: what is bound to it cannot be adopted.
    """
    candidates = listing.by_fingerprint.get(row.fingerprint or "", [])
    while candidates:
        prediction = candidates.pop(0)
        adopted = adopt(_ref(row), prediction, attempt=row.attempt, ports=ports)
        if adopted is None:
            continue
        if adopted.row is None or not adopted.moved:
            # Somebody else has moved it on; the prediction may be another row's.
            candidates.insert(0, prediction)
            return None
        return adopted.row, prediction
    if whole or _beyond_patience(row, ports):
        _give_up_create(row, ports)
    return None


def _read_listing(
    listing: _Listing,
    lost: Sequence[Job],
    span: Sequence[Job],
    ports: Ports,
    until: datetime,
    *,
    after: datetime,
    before: datetime,
) -> bool:
    """Pass on what each page shows: for `lost` to the end, for a `span` until few are missing.

    Return whether it was read to its end: what it did not show, the provider does not know.
    """
    calls = calls_for(_ref(span[0]), ports=ports)
    pages = calls.pages(created_after=after, created_before=before)
    sent_at = ports.clock.now()
    try:
        if not _may_call(ports, until):
            return False
        sent_at = ports.clock.now()
        for page in pages:
            _note_fingerprints(page, lost, listing)
            _pass_on([(listing.unseen.pop(p.id), p) for p in page if p.id in listing.unseen], ports, until)
            few = not lost and sum(row.prediction_id in listing.unseen for row in span) <= SINGLE_GETS
            if few or not _may_call(ports, until):
                return False
            sent_at = ports.clock.now()
    except (Transient, Permanent) as error:
        ports.telemetry.warning("listing_not_read", reason=type(error).__name__)
        if isinstance(error, ProviderThrottled):
            slow_down(error, sent_at, ports)
        return False
    return True


def _note_fingerprints(page: Sequence[Prediction], lost: Sequence[Job], listing: _Listing) -> None:
    fingerprints = {row.fingerprint for row in lost}
    versions = {row.provider_version for row in lost}
    for prediction in page:
        for version in versions if prediction.input is not None else ():
            print_ = fingerprint(version, prediction.input or {})
            if print_ in fingerprints:
                listing.by_fingerprint.setdefault(print_, []).append(prediction)


def _get(prediction_id: str, ref: Ref, ports: Ports, until: datetime) -> Prediction | None:
    if not _may_call(ports, until):
        return None
    sent_at = ports.clock.now()
    try:
        return calls_for(ref, ports=ports).get(prediction_id)
    except ProviderNotFound:
        return Prediction(
            id=prediction_id, status=PredictionStatus.FAILED, error="not found", data_removed=True
        )
    except (ProviderTransient, Permanent) as error:
        if isinstance(error, ProviderThrottled):
            slow_down(error, sent_at, ports)
        ports.telemetry.warning(
            "prediction_not_read", prediction_id=prediction_id, reason=type(error).__name__
        )
        return None


def _may_call(ports: Ports, until: datetime) -> bool:
    """Wait for a slot, unless too little time would be left."""
    now = ports.clock.now()
    if now + ONE_CALL_NEEDS > until:
        return False
    slot = ports.pace.reserve_read(now=now, before=until - ONE_CALL_NEEDS)
    if slot is None:
        return False
    ports.clock.sleep_until(slot)
    return True


def slow_down(error: ProviderThrottled, sent_at: datetime, ports: Ports) -> None:
    """The provider found requests other than creates too many."""
    now = ports.clock.now()
    wait = REFUSED_WAIT if error.retry_after_s is None else timedelta(seconds=error.retry_after_s)
    try:
        rate = ports.pace.read_refused(sent_at=sent_at, now=now, until=now + wait)
    except Transient as trouble:
        ports.telemetry.warning("pace_not_told", reason=type(trouble).__name__)
        return
    if rate is not None:
        ports.telemetry.count("ReadsPerMinute", rate)


def _note_progress(row: Training, prediction: Prediction, ports: Ports) -> None:
    progress = read_training_progress(prediction.logs, steps=row.params["steps"])
    if progress is None:
        return

    def decide(seen: Training) -> Move | None:
        if seen.state is not State.PROCESSING or seen.prediction_id != prediction.id:
            return None
        told = {"progress_percent": progress.percent, "left_s": progress.left_s}
        if (seen.progress_percent, seen.left_s) == (progress.percent, progress.left_s):
            return None
        return Move(Event.VISITED, State.PROCESSING, changes=told)

    move(_ref(row), decide, ports=ports)


def _give_up_create(row: Job, ports: Ports) -> None:
    """The lease is over and the provider knows nothing of the create: it was never made."""

    def decide(seen: Job) -> Move | None:
        if seen.state is not State.STARTING or seen.attempt != row.attempt:
            return None
        if seen.cancel_requested_at is not None:
            return Move(Event.LOST, State.CANCELED)
        if seen.lost_creates >= LOST_CREATES_MAX:
            return Move(Event.LOST, State.FAILED, failure=Failure(code="provider_unknown"))
        now = ports.clock.now()
        again_at = now + backoff(REFUSED_WAIT, seen.lost_creates, fraction=ports.entropy.fraction())
        return Move(
            Event.LOST,
            State.QUEUED,
            changes={"lost_creates": seen.lost_creates + 1, "not_before": again_at, "due_at": again_at},
        )

    if move(_ref(row), decide, ports=ports).moved:
        ports.telemetry.count("CreatesLost")


def _time_out(row: Job, ports: Ports) -> None:
    """The deadline has passed and the provider runs on although it was told to stop."""

    def decide(seen: Job) -> Move | None:
        if seen.state is not State.PROCESSING or seen.prediction_id != row.prediction_id:
            return None
        if seen.cancel_requested_at is not None:
            return Move(Event.DEADLINE_EXCEEDED, State.CANCELED)
        return Move(Event.DEADLINE_EXCEEDED, State.FAILED, failure=Failure(code="timeout"))

    move(_ref(row), decide, ports=ports)


def _ref(row: Job) -> Ref:
    return Ref(row.user_id, row.id)
