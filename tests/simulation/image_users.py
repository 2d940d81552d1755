"""Users who ask for images, look at them, and cancel, delete or appeal."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta

from revela.domain.errors import InvalidRequest, Refused
from revela.domain.generation import Generation
from revela.domain.personal_model import PersonalModel
from revela.domain.policy import IDEMPOTENCY_KEPT
from revela.ports import Ref
from revela.usecases.accept_generation import Accepted, AcceptGeneration, accept_generation
from revela.usecases.appeal_generation import AppealGeneration, appeal_generation
from revela.usecases.cancel_generation import cancel_generation
from revela.usecases.delete_generation import delete_generation
from revela.usecases.show_generation import GenerationView, show_generation
from tests.fakes import FakePorts
from tests.simulation.model_users import Api
from tests.simulation.processes import Outcome, expect
from tests.simulation.prompts import DESPERATE, FORBIDDEN, REFUSED, some_prompt

MODELS = ("flux-schnell", "flux-dev", "sdxl")
MINUTE = timedelta(minutes=1)
# How often somebody withdraws consent for a model just after having asked for images of it.
SECOND_THOUGHTS = 0.15


class ImageUsers:
    """`asked_for_strikes` counts what earns one, by user, `told_of_strikes` those who heard of it.

    `shown` is told which keys of images somebody was given URLs of; `think_again` of a model that its user
    had better not have asked for images of.
    """

    def __init__(
        self,
        ports: FakePorts,
        chance: random.Random,
        api: Api,
        *,
        users: tuple[str, ...],
        own_model: Callable[[str], PersonalModel | None],
        think_again: Callable[[PersonalModel], None],
        shown: Callable[[Iterable[str]], None],
    ) -> None:
        self.asked_for_strikes: Counter[str] = Counter()
        self.told_of_strikes: Counter[str] = Counter()
        self._ports = ports
        self._chance = chance
        self._api = api
        self._users = users
        self._own_model = own_model
        self._think_again = think_again
        self._shown = shown
        self._accepted: dict[tuple[str, str], Generation] = {}

    def someone_asks(self) -> None:
        user_id = self._chance.choice(self._users)
        key = f"key-{self._chance.randrange(40)}" if self._chance.random() < 0.5 else None
        own = self._own_model(user_id) if key is None and self._chance.random() < 0.8 else None
        # The key decides the body, so that a repeated key is a repeated request; few seeds make twins.
        details = random.Random(key or self._chance.random())
        prompt = some_prompt(details)
        requested = {
            "model": details.choice(MODELS) if own is None else own.id,
            "prompt": prompt,
            "num_outputs": details.randint(1, 2),
            "seed": details.randrange(3),
        }
        command = AcceptGeneration(user_id, requested, idempotency_key=key)

        def ask(ports: FakePorts) -> Accepted:
            self.asked_for_strikes[user_id] += prompt == FORBIDDEN
            return accept_generation(command, ports=ports)

        def then(outcome: Outcome[Accepted]) -> None:
            expect(outcome, Refused)
            if outcome.result is not None and key is not None:
                self._remember(user_id, key, outcome.result.generation)
            if isinstance(outcome.error, InvalidRequest):
                assert outcome.error.code == "prompt_refused", outcome.error.invalid_params
                assert prompt in REFUSED, prompt
                self.told_of_strikes[user_id] += prompt != DESPERATE

        self._api("accept", ask, then)
        if own is not None and self._chance.random() < SECOND_THOUGHTS:
            self._think_again(own)

    def someone_looks(self) -> None:
        if row := self._some_row():
            ref = Ref(row.user_id, row.id)

            def then(outcome: Outcome[GenerationView]) -> None:
                expect(outcome, Refused)
                if outcome.result is not None:
                    self._shown(outcome.result.urls)

            self._api("show", lambda ports: show_generation(ref, ports=ports), then)

    def someone_cancels(self) -> None:
        if row := self._some_row():
            ref = Ref(row.user_id, row.id)
            self._api("cancel", lambda ports: cancel_generation(ref, ports=ports))

    def someone_deletes(self) -> None:
        if row := self._some_row():
            ref = Ref(row.user_id, row.id)
            self._api("delete", lambda ports: delete_generation(ref, ports=ports))

    def someone_appeals(self) -> None:
        """Mostly against what was blocked."""
        blocked = [row for row in self._ports.store.generations.values() if row.blocked]
        row = self._chance.choice(blocked) if blocked and self._chance.random() < 0.8 else self._some_row()
        if row:
            command = AppealGeneration(Ref(row.user_id, row.id), "a mistake")
            self._api("appeal", lambda ports: appeal_generation(command, ports=ports))

    def assert_strikes_add_up(self, counted: Counter[str], spared: Counter[str]) -> None:
        """Whoever heard that a prompt is refused has a strike; nobody has more than refused prompts."""
        for user_id in self._users:
            told, asked = self.told_of_strikes[user_id], self.asked_for_strikes[user_id]
            strikes = counted[user_id]
            assert told - spared[user_id] <= strikes <= asked, f"{user_id}: {told} <= {strikes} <= {asked}"

    def _remember(self, user_id: str, key: str, given: Generation) -> None:
        first = self._accepted.setdefault((user_id, key), given)
        # A key is remembered for a day.
        if given.created_at - first.created_at >= IDEMPOTENCY_KEPT - MINUTE:
            self._accepted[user_id, key] = given
        else:
            assert given.id == first.id, f"{user_id} was given two generations for {key}"

    def _some_row(self) -> Generation | None:
        rows = list(self._ports.store.generations.values())
        # Who looks for something to cancel or delete mostly finds what is new.
        return self._chance.choice(rows[-8:] if self._chance.random() < 0.7 else rows) if rows else None
