"""Time limits that must not contradict each other: of the template, of the leases, of the catalog.

They are read from this checkout, which is what a local run uses and the next deploy will.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local import engine, template
from revela.adapters.replicate.client import Timeouts
from revela.adapters.replicate.outputs import TOTAL_MAX
from revela.domain import policy
from revela.domain.catalog import Catalog

# AWS asks for six: a delivery that is throttled a few times must not overtake itself.
VISIBILITY_TIMEOUTS = 6
# An HTTP API waits no longer for a function.
API_GATEWAY_WAITS_S = 30
# Replicate ends a prediction that has run for so long.
REPLICATE_RUNS_S = 30 * 60
# Replicate deletes the outputs of a prediction so long after it has ended.
OUTPUTS_KEPT_S = 3600


@dataclass(frozen=True)
class Worker:
    """A function that a queue feeds; `longest_call_s` is what it may wait for one answer."""

    name: str
    timeout_s: float
    visibility_s: float
    lease_s: float
    longest_call_s: float


@dataclass(frozen=True)
class TimeLimits:
    """`deadlines_s`: model -> Replicate's `Cancel-After`; ours comes `deadline_margin_s` later."""

    workers: tuple[Worker, ...]
    api_timeout_s: float
    deadlines_s: dict[str, int]
    deadline_margin_s: float
    poll_max_s: float


def of_this_checkout(catalog: Catalog) -> TimeLimits:
    resources = template.load(engine.ROOT / "template.yaml")["Resources"]
    start = policy.START_LEASE.total_seconds(), Timeouts().total_s
    finish = policy.SAVING_LEASE.total_seconds(), TOTAL_MAX.total_seconds()
    return TimeLimits(
        workers=(
            _worker(resources, "StartGenerationFunction", "GenerationQueue", *start),
            _worker(resources, "FinishGenerationFunction", "GenerationWebhookQueue", *finish),
        ),
        api_timeout_s=resources["ApiFunction"]["Properties"]["Timeout"],
        deadlines_s={model.id: model.deadline_s for model in catalog.models},
        deadline_margin_s=policy.DEADLINE_MARGIN.total_seconds(),
        poll_max_s=policy.POLL_MAX.total_seconds(),
    )


def contradictions(limits: TimeLimits) -> Iterator[str]:
    """Yield each pair of limits that does not go together, in words."""
    for worker in limits.workers:
        if worker.visibility_s < VISIBILITY_TIMEOUTS * worker.timeout_s:
            yield (
                f"the queue of {worker.name} delivers again after {worker.visibility_s:.0f} s, less than "
                f"{VISIBILITY_TIMEOUTS} times its time-out of {worker.timeout_s:.0f} s"
            )
        if worker.lease_s <= worker.timeout_s + worker.longest_call_s:
            yield (
                f"the lease of {worker.name} ends after {worker.lease_s:.0f} s, within its time-out of "
                f"{worker.timeout_s:.0f} s and a call of {worker.longest_call_s:.0f} s"
            )
    if limits.api_timeout_s >= API_GATEWAY_WAITS_S:
        yield f"api may take {limits.api_timeout_s:.0f} s, API Gateway waits {API_GATEWAY_WAITS_S} s"
    if limits.deadline_margin_s <= 0:
        yield "our deadline does not come after Replicate's own (Cancel-After)"
    for model, deadline_s in limits.deadlines_s.items():
        if deadline_s > REPLICATE_RUNS_S:
            yield f"{model} may take {deadline_s} s, Replicate lets it run for {REPLICATE_RUNS_S} s"
    if limits.poll_max_s >= OUTPUTS_KEPT_S:
        yield f"polls may be {limits.poll_max_s:.0f} s apart, outputs are kept for {OUTPUTS_KEPT_S} s"


def _worker(
    resources: dict[str, Any], function: str, queue: str, lease_s: float, longest_call_s: float
) -> Worker:
    properties = resources[function]["Properties"]
    return Worker(
        name=properties["Handler"].partition(".")[0],
        timeout_s=properties["Timeout"],
        visibility_s=resources[queue]["Properties"]["VisibilityTimeout"],
        lease_s=lease_s,
        longest_call_s=longest_call_s,
    )
