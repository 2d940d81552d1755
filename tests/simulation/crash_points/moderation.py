"""What users and operators do about what is refused and blocked, and about whom a model shows."""

from __future__ import annotations

from contextlib import suppress

from revela.domain.errors import InvalidRequest, NotFound, Suspended
from revela.ports import ModelRef, Ports, Ref
from revela.usecases.accept_generation import AcceptGeneration, accept_generation
from revela.usecases.appeal_generation import AppealGeneration, appeal_generation
from revela.usecases.lift_suspension import lift_suspension
from revela.usecases.withdraw_consent import withdraw_consent
from tests.simulation.crash_points.history import ANA, History, Refusals

# What the policy refuses by itself.
REFUSED = "a nude woman"


def ask_for_what_is_refused(history: History) -> bool:
    """Ask for an image that the policy refuses; return whether the account is suspended."""
    fields = {"model": "flux-schnell", "prompt": REFUSED, "num_outputs": 1}

    def ask(ports: Ports) -> bool:
        history.refusals.sent += 1
        try:
            accept_generation(AcceptGeneration(ANA, fields), ports=ports)
        except InvalidRequest as error:
            assert error.code == "prompt_refused"  # noqa: PT017  # one of several answers
            history.refusals.answered += 1
            return False
        except Suspended:
            history.refusals.sent -= 1  # it was not looked at
            return True
        raise AssertionError("it was accepted")

    return history.ask("accept", ask)


def lift(history: History) -> None:
    """An operator lifts the suspension: the account is as if nothing had been refused."""
    history.ask("lift suspension", lambda ports: lift_suspension(ANA, ports=ports))
    history.refusals = Refusals()


def appeal(history: History, ref: Ref, reason: str) -> None:
    command = AppealGeneration(ref, reason)
    history.ask("appeal", lambda ports: appeal_generation(command, ports=ports))


def withdraw(history: History, model: ModelRef) -> None:
    """Withdraw the consent; who was not answered may find that the model is gone already."""

    def ask(ports: Ports) -> None:
        with suppress(NotFound):
            withdraw_consent(model, ports=ports)

    history.ask("withdraw consent", ask)
    history.closed.add(model)
