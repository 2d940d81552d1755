"""What must be true of judges, strikes and consent over a whole history.

It goes by what is written and by what judges said, and counts strikes and free images by itself.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from revela.domain.account import Account
from revela.domain.generation import Generation
from revela.domain.job import Job, State
from revela.domain.judgement import Judgement
from revela.domain.personal_model import ModelState, PersonalModel
from revela.domain.policy import QUEUE_AGE_MAX
from revela.domain.training import Training
from revela.ports import Ref
from tests.fakes import FakePorts
from tests.fakes.objects import StoredObject
from tests.simulation.judges import SimulatedJudge
from tests.simulation.processes import Process, Processes
from tests.simulation.prompts import REFUSED, in_doubt
from tests.unit.usecases.money import ENDED, LIVE

# How long a first suspension lasts, a second, and any later one.
SUSPENSION_DAYS = (1, 7, 30)
# Visits are four minutes apart at most, messages may have to come again: so long an hour-long patience may
# be overdrawn while there is trouble.
OVERDUE_MAX = timedelta(hours=1)
# Once there is none: the lease of a worker that died, the longest gap between visits, and two runs.
JUDGED_WITHIN = timedelta(minutes=12)
# Two processes' clocks differ by so much.
SKEW_MAX = timedelta(seconds=8)

_OF_GENERATION = re.compile(r"users/(?P<user>[^/]+)/generations/(?P<id>[^/]+)/(?P<name>[^/]+)")
_PUBLISHED = re.compile(r"(?P<attempt>\d+)-(?P<index>\d+)\.(?P<rest>.+)")
_QUARANTINED = re.compile(r"quarantine/(?P<user>[^/]+)/(?P<id>[^/]+)/(?P<attempt>\d+)/(?P<index>\d+)")


class Watched(dict[str, StoredObject]):
    """A bucket that shows every write to `on_write` before it is done."""

    def __init__(self, on_write: Callable[[str, StoredObject], None]) -> None:
        super().__init__()
        self._on_write = on_write

    def __setitem__(self, key: str, stored: StoredObject) -> None:
        self._on_write(key, stored)
        super().__setitem__(key, stored)


@dataclass
class _Day:
    """What is counted of one account on the day that it is at."""

    day: date
    strikes: int = 0
    blocks: int = 0


class _End(NamedTuple):
    """A generation that is being settled, in the write of which its account is the next thing."""

    row: Generation
    was: Generation


class SafetyWitness:
    """Sees what is written of jobs, accounts, models and objects, and hears what judges say.

    `counts` tells what happened; `strikes` are those of refused prompts, by user, `strikes_spared` those that
    came too late to count.
    """

    def __init__(
        self,
        ports: FakePorts,
        processes: Processes,
        prompt_judge: SimulatedJudge[str],
        image_judge: SimulatedJudge[bytes],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.strikes: Counter[str] = Counter()
        self.strikes_spared: Counter[str] = Counter()
        self.longest_judging = timedelta(0)
        self.left_behind: list[str] = []
        self._ports = ports
        self._processes = processes
        self._prompt_judge = prompt_judge
        self._image_judge = image_judge
        self._days: dict[str, _Day] = {}
        self._suspensions: Counter[str] = Counter()
        self._ending: _End | None = None
        self._awaited: dict[Ref, datetime] = {}
        # Who ended each attempt whose images were being saved.
        self._settlers: dict[tuple[Ref, int], Process] = {}
        # The bytes of each image that was ever put into quarantine, by key, and the keys of all published.
        self._quarantined: dict[str, bytes] = {}
        self._published: set[str] = set()

    # At every moment

    def assert_ages(self) -> None:
        """No image waits for its judge for longer than the installation's patience."""
        now, patience = self._ports.clock.now(), self._ports.policies.judge_patience
        for row in self._judging():
            assert row.judging_since is not None
            assert now - row.judging_since <= patience + OVERDUE_MAX, f"{row.id} waits for its judge for ever"

    def assert_judged(self, since: datetime) -> None:
        """Trouble has ceased at `since`: nobody waits for a judge that is there."""
        if self._ports.clock.now() - since <= JUDGED_WITHIN:
            return
        late = [row.id for row in self._judging() if row.judging_since and row.judging_since < since]
        assert not late, f"not judged although the judge is back: {late}"

    def assert_shown(self, urls: Iterable[str]) -> None:
        """What a URL is given for was judged before it came to be where it is."""
        unjudged = [key for key in urls if key not in self._published]
        assert not unjudged, f"URLs of what no judge has seen: {unjudged}"

    # Jobs

    def see_generation(self, before: Generation | None, after: Generation) -> None:
        if before is None:
            self._see_accepted(after)
            return
        if after.state is State.STARTING and before.state is State.QUEUED:
            self._see_claimed(before, after)
        self._note_awaited(before, after)
        if after.state is State.JUDGING:
            self._see_judging(after)
        if before.state is State.JUDGING and after.state is not State.JUDGING:
            since = before.judging_since
            assert since is not None
            self.counts["generations judged later"] += 1
            self.longest_judging = max(self.longest_judging, self._ports.clock.now() - since)
        ended = before.state in LIVE and after.state in ENDED
        settler = self._processes.current
        if settler is not None and (ended or (before.state.has_outputs and not after.state.has_outputs)):
            self._settlers[Ref(after.user_id, after.id), after.attempt] = settler
        if ended:
            self._see_end(before, after)
        if after.cancel_is_free and not before.cancel_is_free:
            model = self._ports.store.models.get((after.user_id, after.model))
            assert model is not None, f"{after.id}: canceled for nothing"
            assert model.consent.withdrawn_at is not None, f"{after.id}: canceled for nothing"
        if before.appeal != after.appeal:
            self._see_appeal(before, after)

    def see_training(self, before: Training | None, after: Training) -> None:
        if before is None:
            self._assert_may_ask(after)
        elif after.state is State.STARTING and before.state is State.QUEUED:
            self._assert_consent(after, after.model_id, "sent to the provider")

    def _see_accepted(self, row: Generation) -> None:
        self._assert_may_ask(row)
        prompt = row.params["prompt"]
        assert prompt not in REFUSED, f"{row.id}: what the policy refuses was accepted"
        assert bool(row.doubts) == in_doubt(prompt), f"{row.id}: doubts {row.doubts} of {prompt}"
        if row.own:
            self._assert_consent(row, row.model, "accepted")

    def _see_claimed(self, before: Generation, row: Generation) -> None:
        if row.doubts:
            assert row.prompt_judged_at is not None, row.id
            assert any(said.allowed for said in self._said_of(row)), f"{row.id}: claimed unjudged"
            self.counts["prompts passed by the judge"] += before.undecided
        if row.own:
            self._assert_consent(row, row.model, "sent to the provider")

    def _note_awaited(self, before: Generation, after: Generation) -> None:
        ref = Ref(after.user_id, after.id)
        if before.state is after.state is State.QUEUED and after.judge_waits > before.judge_waits:
            self._awaited.setdefault(ref, self._ports.clock.now())

    def _see_judging(self, row: Generation) -> None:
        """What waits for its judge is in quarantine, whole, and what is known of it was said."""
        for image in row.quarantined:
            data = self._ports.objects.stored[image.key].data
            assert (len(data), hashlib.sha256(data).hexdigest()) == (image.size_bytes, image.sha256), row.id
            if isinstance(image.found, Judgement):
                assert self._said_of_image(image.key) == image.found, f"{image.key}: nobody said so"

    def _see_end(self, before: Generation, after: Generation) -> None:
        code = after.failure.code if after.failure else None
        self._ending = _End(after, before)
        if after.state is State.SUCCEEDED:
            assert all(output.key in self._published for output in after.outputs), after.id
            assert all(output.thumbnail_key in self._published for output in after.outputs), after.id
            if after.own:
                self._assert_consent(after, after.model, "shown")
        for image in after.blocked:
            said = self._said_of_image(f"{after.quarantine_prefix}{after.attempt}/{image.index}")
            assert said is not None, f"{after.id}: blocked unjudged"
            assert said.category == image.category, f"{after.id}: blocked as {image.category}, not {said}"
        assert (code == "prompt_moderated") <= any(not s.allowed for s in self._said_of(after)), after.id
        if code == "judge_unavailable":
            self._assert_patience(before)
        if code == "model_closed":
            model = self._ports.store.models.get((after.user_id, after.model))
            assert model is None or model.state is ModelState.DELETING, f"{after.id}: its model is there"
        self.counts["images blocked"] += len(after.blocked)
        self.counts["prompts refused by the judge"] += code == "prompt_moderated"

    def _assert_patience(self, row: Generation) -> None:
        ref, now = Ref(row.user_id, row.id), self._ports.clock.now()
        if row.state is State.QUEUED and now - row.created_at > QUEUE_AGE_MAX - SKEW_MAX:
            return
        since = row.judging_since if row.state is State.JUDGING else self._awaited.get(ref)
        assert since is not None, f"{row.id}: given up before its judge was awaited"
        waited = now - since
        assert waited > self._ports.policies.judge_patience - SKEW_MAX, f"{row.id}: given up after {waited}"

    def _see_appeal(self, before: Generation, after: Generation) -> None:
        assert before.appeal is None, f"{after.id}: appealed twice"
        assert after.appeal is not None, f"{after.id}: an appeal is gone"
        assert after.blocked, f"{after.id}: nothing to appeal"
        self.counts["appeals"] += 1

    def _assert_may_ask(self, job: Job) -> None:
        account = self._ports.store.accounts[job.user_id]
        assert not _suspended(account, job.created_at), f"{job.id}: accepted of a suspended account"

    def _assert_consent(self, job: Job, model_id: str, what: str) -> None:
        model = self._ports.store.models.get((job.user_id, model_id))
        assert model is not None, f"{job.id}: {what} of a model that is gone"
        assert model.consent.withdrawn_at is None, f"{job.id}: {what} after consent was withdrawn"

    # Accounts

    def see_account(self, before: Account | None, after: Account) -> None:
        who, ending, self._ending = after.user_id, self._ending, None
        today = self._days.setdefault(who, _Day(after.day))
        if today.day != after.day:
            today = self._days[who] = _Day(after.day)
        if before is None:
            return
        suspended = _suspended(before, after.updated_at)
        if ending is not None:
            assert ending.row.user_id == who
            self._see_settled(ending.row, after, today, suspended=suspended)
        elif before.suspension is not None and after.suspension is None:
            today.strikes = 0
            self._suspensions[who] -= 1
            self.counts["suspensions lifted"] += 1
        elif after.strikes_today > today.strikes:
            assert not suspended, f"{who}: struck while suspended"
            today.strikes += 1
            self.strikes[who] += 1
        elif suspended and after == before.model_copy(update={"version": after.version}):
            # Refused just when it was suspended.
            self.strikes_spared[who] += 1
        assert (after.strikes_today, after.blocks_today) == (today.strikes, today.blocks), who
        self._see_suspension(before, after, today)
        if suspended:
            assert after.held <= before.held, f"{who}: credits held while suspended"

    def _see_settled(self, row: Generation, after: Account, today: _Day, *, suspended: bool) -> None:
        """Charged are images that are shown, and blocked ones beyond the day's free number.

        Nothing is a strike while its account is suspended.
        """
        free = self._ports.catalog.plan(after.plan).free_blocks_per_day
        beyond = max(0, len(row.blocked) - max(0, free - today.blocks))
        today.blocks += len(row.blocked)
        if row.state is State.CANCELED:
            assert not (row.cancel_is_free and row.credits_charged), f"{row.id}: charged for what had to stop"
        else:
            due = (len(row.outputs) + beyond) * row.credits_per_image
            assert row.credits_charged == min(row.credits_held, due), f"{row.id}: {row.credits_charged}"
        failure = row.failure
        moderated = failure is not None and (failure.code, failure.detail) == ("prompt_moderated", "sexual")
        if not suspended:
            today.strikes += any(image.category != "self_harm" for image in row.blocked) or moderated
        self.counts["blocked images charged"] += beyond

    def _see_suspension(self, before: Account, after: Account, today: _Day) -> None:
        who, limit = after.user_id, self._ports.policies.strikes_per_day
        began = after.suspension is not None and after.suspension != before.suspension
        struck = (after.day, after.strikes_today) != (before.day, before.strikes_today)
        due = struck and today.strikes > limit and not _suspended(before, after.updated_at)
        assert began == due, f"{who}: {today.strikes} strikes, {limit} allowed; {after.suspension}"
        if began:
            assert after.suspension is not None
            days = SUSPENSION_DAYS[min(self._suspensions[who], len(SUSPENSION_DAYS) - 1)]
            assert after.suspension.until - after.suspension.since == timedelta(days=days), who
            self._suspensions[who] += 1
            self.counts["suspensions"] += 1

    # Models

    def see_model(self, before: PersonalModel | None, after: PersonalModel) -> None:
        if before is None or before.consent == after.consent:
            return
        assert before.consent.withdrawn_at is None, f"{after.id}: consent came back"
        assert after.consent.withdrawn_at is not None, f"{after.id}: consent was rewritten"
        assert after.state is ModelState.DELETING, f"{after.id}: stays without consent"
        self.counts["consents withdrawn"] += 1

    # Objects

    def see_object(self, key: str, stored: StoredObject) -> None:
        if _QUARANTINED.fullmatch(key):
            self._quarantined[key] = stored.data
        if not (place := _OF_GENERATION.fullmatch(key)):
            return
        name = _PUBLISHED.fullmatch(place["name"])
        assert name is not None, f"published under a strange name: {key}"
        source = f"quarantine/{place['user']}/{place['id']}/{name['attempt']}/{name['index']}"
        said = self._said_of_image(source)
        assert said is not None, f"{key}: published unjudged"
        assert said.allowed, f"{key}: published although {said.category} was found"
        if name["rest"] != "thumbnail.webp":
            assert stored.data == self._quarantined[source], f"{key}: is not what was judged"
        self._published.add(key)

    def assert_at_rest(self) -> None:
        """Of each generation the bucket holds what its row says, and nothing else.

        But for what a twin has left that settled, or gave up, and then died: its message was acknowledged by
        the other.
        """
        rows = self._ports.store.generations
        for row in rows.values():
            kept = [image.key for image in row.blocked if image.key is not None]
            assert all(key in self._ports.objects.stored for key in kept), f"{row.id}: not kept for an appeal"
        for key in self._ports.objects.stored:
            if place := _QUARANTINED.fullmatch(key) or _OF_GENERATION.fullmatch(key):
                ref = Ref(place["user"], place["id"])
                assert ref in rows, f"left of what is deleted: {key}"
                attempt = place["attempt"] if "attempt" in place.groupdict() else place["name"].split("-")[0]
                self._judge_what_is_left(key, rows[ref], int(attempt))

    def _judge_what_is_left(self, key: str, row: Generation, attempt: int) -> None:
        shown = {k for output in row.outputs for k in (output.key, output.thumbnail_key)}
        if key in shown | {image.key for image in row.blocked}:
            return
        self.left_behind.append(key)
        code = row.failure.code if row.failure else None
        assert code != "model_closed", f"left of whom consent was withdrawn: {key}"
        settler = self._settlers[Ref(row.user_id, row.id), attempt]
        unheard = settler.twin and (settler.killed or bool(settler.failed))
        assert unheard, f"left by {row.state} {code}: {key}"

    # Below

    def _judging(self) -> Iterator[Generation]:
        return (row for row in self._ports.store.generations.values() if row.state is State.JUDGING)

    def _said_of(self, row: Generation) -> Iterator[Judgement]:
        prompt = row.params["prompt"]
        return (said for text, said in self._prompt_judge.heard.items() if prompt in text)

    def _said_of_image(self, key: str) -> Judgement | None:
        """Return what the judge said of the very bytes that are, or were, in quarantine."""
        data = self._quarantined.get(key)
        return None if data is None else self._image_judge.heard.get(b"rendering of " + data)


def _suspended(account: Account, now: datetime) -> bool:
    return account.suspension is not None and account.suspension.until > now
