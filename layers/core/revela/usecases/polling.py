"""Poll the provider: what became of the predictions that nobody reported on.

Pages of its listing tell of a hundred at once; single requests are for those it did not show. A
create whose answer was lost is found in the listing by its fingerprint, or was never made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from revela.domain.errors import Permanent, ProviderNotFound, ProviderThrottled, ProviderTransient, Transient
from revela.domain.job import Event, Failure, Job, State, fingerprint
from revela.domain.policy import DEADLINE_MARGIN, LOST_CREATES_MAX
from revela.domain.prediction import Prediction, PredictionStatus
from revela.domain.retry import REFUSED_WAIT, backoff
from revela.ports import Ports, ProviderReport, Ref
from revela.usecases.moving import Move, move
from revela.usecases.provider_predictions import adopt, calls_for, cancel_at_provider

# Up to this many rows, single requests are cheaper than pages of a hundred.
SINGLE_GETS = 3
# The provider's clock is not ours: its listing is read from a little before the first claim.
CLOCKS_DIFFER = timedelta(minutes=1)
# The longest single call to the provider, repetitions and margin included.
ONE_CALL_NEEDS = timedelta(seconds=35)

_NOTHING_READ = datetime.max.replace(tzinfo=UTC)


@dataclass
class _Listing:
    """`read_back_to`: what was created after it and is not here, the provider does not know."""

    by_id: dict[str, Prediction] = field(default_factory=dict)
    by_fingerprint: dict[str, list[Prediction]] = field(default_factory=dict)
    read_back_to: datetime = _NOTHING_READ


def poll_predictions(rows: Sequence[Job], *, ports: Ports, until: datetime) -> None:
    """Pass on what ended, adopt what was lost, cancel what is to end. `until`: when this process ends.

    Rows are of one kind. What the provider does not tell now is asked again when its row is due again.
    """
    listing = _Listing()
    if len(rows) > SINGLE_GETS or any(row.prediction_id is None for row in rows):
        try:
            _read_listing(listing, rows, ports, until)
        except (Transient, Permanent) as error:
            ports.telemetry.warning("listing_not_read", reason=type(error).__name__)
    reports: list[ProviderReport] = []
    for row in rows:
        try:
            if report := _poll(row, listing, ports, until):
                reports.append(report)
        except Transient as error:
            ports.telemetry.warning("poll_failed", job_id=row.id, reason=type(error).__name__)
    if reports:
        try:
            ports.commands.finish(reports)
        except Transient as error:
            ports.telemetry.warning("finish_not_sent", count=len(reports), reason=str(error))


def _poll(row: Job, listing: _Listing, ports: Ports, until: datetime) -> ProviderReport | None:
    """Return what `finish_generation` is to hear of this row, if anything."""
    if row.prediction_id is None:
        adopted = _find_lost(row, listing, ports)
        if adopted is None:
            return None
        row, prediction = adopted
    else:
        known = listing.by_id.get(row.prediction_id) or _get(row.prediction_id, _ref(row), ports, until)
        if known is None:
            return None
        prediction = known
    if not prediction.status.terminal:
        late = row.deadline_at is not None and ports.clock.now() >= row.deadline_at + DEADLINE_MARGIN
        if not (late or row.cancel_requested_at is not None) or not _may_call(ports, until):
            return None
        answer = cancel_at_provider(row, ports=ports)
        if answer is None or not answer.status.terminal:
            if answer is not None and late:
                _time_out(row, ports)
            return None
        prediction = answer
    return ProviderReport(_ref(row), row.attempt, prediction)


def _find_lost(row: Job, listing: _Listing, ports: Ports) -> tuple[Job, Prediction] | None:
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
    if row.claimed_at is not None and listing.read_back_to <= row.claimed_at - CLOCKS_DIFFER:
        _give_up_create(row, ports)
    return None


def _read_listing(listing: _Listing, rows: Sequence[Job], ports: Ports, until: datetime) -> None:
    """Fill the listing, newest first, as far back as the rows' claims or as time allows."""
    ids = {row.prediction_id for row in rows if row.prediction_id is not None}
    fingerprints = {row.fingerprint for row in rows if row.prediction_id is None}
    versions = {row.provider_version for row in rows if row.prediction_id is None}
    claims = (row.claimed_at for row in rows if row.claimed_at is not None)
    since = min(claims, default=ports.clock.now()) - CLOCKS_DIFFER
    if not _may_call(ports, until):
        return
    sent_at = ports.clock.now()
    try:
        for page in calls_for(_ref(rows[0]), ports=ports).pages(created_after=since):
            for prediction in page:
                if prediction.id in ids:
                    listing.by_id[prediction.id] = prediction
                for version in versions if prediction.input is not None else ():
                    print_ = fingerprint(version, prediction.input or {})
                    if print_ in fingerprints:
                        listing.by_fingerprint.setdefault(print_, []).append(prediction)
            created = [prediction.created_at for prediction in page if prediction.created_at is not None]
            listing.read_back_to = min(created, default=listing.read_back_to)
            if (not fingerprints and len(listing.by_id) == len(ids)) or not _may_call(ports, until):
                return
            sent_at = ports.clock.now()
    except ProviderThrottled as error:
        _slow_down(error, sent_at, ports)
        raise
    listing.read_back_to = since


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
            _slow_down(error, sent_at, ports)
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


def _slow_down(error: ProviderThrottled, sent_at: datetime, ports: Ports) -> None:
    now = ports.clock.now()
    wait = REFUSED_WAIT if error.retry_after_s is None else timedelta(seconds=error.retry_after_s)
    rate = ports.pace.read_refused(sent_at=sent_at, now=now, until=now + wait)
    if rate is not None:
        ports.telemetry.count("ReadsPerMinute", rate)


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
