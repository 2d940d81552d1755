"""Judges that are models at Replicate: a question is a prediction, a ticket its id.

Over the ports alone: creates take their turn with those of jobs, and refusals slow all down.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from revela.adapters.questions_in_turn import ask_in_turn
from revela.domain.errors import (
    JudgeUnavailable,
    OutOfCredit,
    Permanent,
    ProviderNotFound,
    ProviderThrottled,
    ProviderTransient,
    ProviderUnauthorized,
    TicketVoid,
)
from revela.domain.harm_severity import most_severe
from revela.domain.judge_models import JudgeModel
from revela.domain.judgement import HarmCategory, Judgement, Ticket
from revela.domain.pace import Turns
from revela.domain.prediction import Prediction, PredictionStatus
from revela.domain.retry import OUT_OF_CREDIT_WAIT, REFUSED_WAIT, UNAUTHORIZED_WAIT
from revela.ports import Clock, CreatePrediction, Pace, Provider

Thing = TypeVar("Thing")

# Whoever asks has more to do: with no turn for all within this time it comes back later.
SLOT_WAIT_MAX = timedelta(seconds=10)
# Answers are held for so long together, counted from the first turn; what takes longer leaves a ticket.
HOLD_MAX = timedelta(seconds=10)


class ReplicateJudge(Generic[Thing]):
    """`render` makes of a thing what the model takes; `read` tells which harm an output names, if any.

    `read` raises ValueError for what is no verdict.
    """

    def __init__(
        self,
        *,
        provider: Provider,
        pace: Pace,
        clock: Clock,
        model: JudgeModel,
        render: Callable[[Thing], str],
        read: Callable[[str], HarmCategory | None],
    ) -> None:
        self._provider = provider
        self._pace = pace
        self._clock = clock
        self._model = model
        self._render = render
        self._read = read

    def ask(self, things: Sequence[Thing]) -> list[Judgement | Ticket | None]:
        if not things:
            return []
        now = self._clock.now()
        turns = self._pace.reserve_creates(len(things), now=now, before=now + SLOT_WAIT_MAX)
        if not turns.slots:
            raise JudgeUnavailable("no slots")
        hold_until = turns.slots[0] + HOLD_MAX
        # A young account may have a turn for one of them alone.
        with_turn = list(zip(things, turns.slots, strict=False))
        said = ask_in_turn(with_turn, lambda one: self._asked(*one, turns, hold_until))
        return said + [None] * (len(things) - len(said))

    def answer(self, ticket: Ticket) -> Judgement | Ticket:
        # No slot is reserved: a visit of a job asks once for each of a handful, and visits are far apart.
        sent_at = self._clock.now()
        try:
            prediction = self._provider.get_prediction(ticket.id)
        except ProviderNotFound as error:
            raise TicketVoid("not found") from error
        except (ProviderTransient, Permanent) as error:
            if isinstance(error, ProviderThrottled):
                now = self._clock.now()
                self._pace.read_refused(sent_at=sent_at, now=now, until=now + _wait(error))
            raise JudgeUnavailable(type(error).__name__) from error
        return self._said(prediction) if prediction.status.terminal else ticket

    def _asked(self, thing: Thing, slot: datetime, turns: Turns, hold_until: datetime) -> Judgement | Ticket:
        self._clock.sleep_until(slot)
        if self._pace.is_void(turns):
            raise JudgeUnavailable("slots void")
        created = self._create(thing, hold_until)
        ticket = Ticket(id=created.id)
        if not created.status.terminal and not created.output:
            return ticket
        try:
            # A held answer may bear an output while the prediction still runs. Written token by token it
            # may be a part, and a part of a verdict may be milder than the whole: look what it ended as.
            return self._said(created) if created.status.terminal else self.answer(ticket)
        except TicketVoid as void:
            raise JudgeUnavailable(str(void)) from void
        except JudgeUnavailable:
            return ticket

    def _create(self, thing: Thing, hold_until: datetime) -> Prediction:
        sent_at = self._clock.now()
        request = CreatePrediction(
            version=self._model.version,
            input={**self._model.fixed_input, self._model.input: self._render(thing)},
            webhook_url=None,
            cancel_after_s=self._model.deadline_s,
            wait_s=max(0, math.ceil((hold_until - sent_at).total_seconds())),
        )
        try:
            return self._provider.create_prediction(request)
        except (ProviderTransient, Permanent) as error:
            # One whose answer was lost may run: it costs once more to ask again, and settles nothing.
            self._tell_pace(error, sent_at)
            raise JudgeUnavailable(type(error).__name__) from error

    def _tell_pace(self, error: Exception, sent_at: datetime) -> None:
        now = self._clock.now()
        match error:
            case ProviderThrottled():
                self._pace.create_refused(sent_at=sent_at, now=now, until=now + _wait(error))
            case OutOfCredit():
                self._pace.block(sent_at=sent_at, now=now, until=now + OUT_OF_CREDIT_WAIT)
            case ProviderUnauthorized():
                self._pace.block(sent_at=sent_at, now=now, until=now + UNAUTHORIZED_WAIT)

    def _said(self, ended: Prediction) -> Judgement:
        if ended.status is not PredictionStatus.SUCCEEDED:
            raise TicketVoid(ended.status.value)
        try:
            # Nothing is left of an output an hour later, which is no verdict either.
            category = self._read("".join(ended.output))
        except ValueError as error:
            raise TicketVoid("unreadable") from error
        cost = self._model.provider_cost.micro_usd(images=1, predict_time_s=ended.predict_time_s)
        return Judgement(category=category, cost_micro_usd=cost)


def _wait(error: ProviderThrottled) -> timedelta:
    return REFUSED_WAIT if error.retry_after_s is None else timedelta(seconds=error.retry_after_s)


# What delimits a conversation in Llama Guard's own prompt: <|eot_id|>, <END CONVERSATION>.
_DELIMITERS = str.maketrans("<>", "‹›")


def render_prompt(prompt: str) -> str:
    """Return the prompt so that nothing in it ends the conversation that it is judged in."""
    return prompt.translate(_DELIMITERS)


def render_jpeg(jpeg: bytes) -> str:
    # Replicate advises data URLs up to 256 kB: a rendering is small, and nothing has to be uploaded.
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


# Model card of Llama Guard 3, whose codes Llama Guard 4 keeps. None: no matter for pictures.
_LLAMA_GUARD_CODES: Mapping[str, HarmCategory | None] = {
    "S1": "violence",  # violent crimes
    "S2": "other",  # non-violent crimes
    "S3": "sexual",  # sex-related crimes
    "S4": "minors",  # child sexual exploitation
    "S5": None,  # defamation
    "S6": None,  # specialised advice
    "S7": None,  # privacy
    "S8": None,  # intellectual property
    "S9": "violence",  # indiscriminate weapons
    "S10": "hate",
    "S11": "self_harm",  # suicide and self-harm
    "S12": "sexual",  # sexual content
    "S13": None,  # elections
    "S14": None,  # code interpreter abuse
}


def read_llama_guard(text: str) -> HarmCategory | None:
    """Read `safe`, or `unsafe` and a line of codes. Raises ValueError for anything else."""
    verdict, *named = text.strip().splitlines() or [""]
    if verdict == "safe" and not named:
        return None
    if verdict != "unsafe":
        raise ValueError("neither safe nor unsafe")
    codes = re.findall(r"[^\s,]+", " ".join(named))
    return most_severe(_LLAMA_GUARD_CODES.get(code, "other") for code in codes) if codes else "other"


def read_nsfw_detection(text: str) -> HarmCategory | None:
    """Read what Falconsai's detector says. Raises ValueError for anything else."""
    match text.strip():
        case "normal":
            return None
        case "nsfw":
            return "nudity"
    raise ValueError("neither normal nor nsfw")
