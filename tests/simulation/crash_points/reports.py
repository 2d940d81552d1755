"""What the long forms say in docs/reliability.md."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import groupby

from tests.simulation.crash_points import campaign, evidence, pairs
from tests.simulation.crash_points.breaker import Call, Fault


def of_flows(runs: Mapping[str, Sequence[Call]]) -> str:
    kinds = {call.label for calls in runs.values() for call in calls}
    calls = sum(map(len, runs.values()))
    return f"{len(runs)} flows made {calls:,} calls to the outside, of {len(kinds)} kinds"


def of_crash_points(
    runs: Mapping[str, Sequence[Call]],
    every: Sequence[campaign.Point],
    outcomes: Sequence[campaign.Outcome],
) -> str:
    """`every`: all ways in which the calls can break; `outcomes` are of those that were played."""
    lines = [
        "The use cases ran on the real adapters (PynamoDB, S3, SQS, Secrets Manager, Rekognition, the",
        "Replicate client, and both judges over it) against AWS and Replicate in process.",
        f"Their {of_flows(runs)} (`tests/simulation/crash_points/call_labels.txt`).",
        f"Those can break in {len(every):,} ways, {_played(every, outcomes)}.",
        "Clients then repeated under their",
        "Idempotency-Key, queues delivered again after their visibility time-out, Replicate repeated its",
        "webhooks for a minute, the schedule fired each minute. At the end of each, all invariants of the",
        "money, the rows and the objects held, no job was settled twice, no prediction ran on, each belonged",
        "to one attempt of one job or was marked as an orphan, of which there were no more than creates that",
        "took effect late, and every recorded output was in the bucket with its SHA-256.",
        "",
        "What is judged was looked at whenever it happened, not at the end alone. No create was sent of a",
        "prompt in doubt that its judge had not passed. No image came to lie below `users/` that a judge",
        "of images had not let pass. At the end blocked images were in quarantine as long as they can be",
        "appealed, beyond the reach of any URL, and nothing else was; each image that is shown was",
        "charged once, and no other; of a model that was closed or whose consent was withdrawn, neither",
        "rows, photos nor images that were under way were left. A settlement that counts against its user",
        "counts exactly once. A prompt that the API itself refuses counts once for each time that it is",
        "sent: who is not answered, and asks again, may be counted twice.",
        "",
        "| fault | histories | longest repair |",
        "| --- | --- | --- |",
    ]
    for fault in Fault:
        of_fault = [outcome for outcome in outcomes if outcome.point.fault is fault]
        longest = max((outcome.repaired_in for outcome in of_fault), default=timedelta(0))
        lines.append(f"| {fault} | {len(of_fault)} | {_minutes(longest)} |")
    worst = max(outcomes, key=lambda outcome: outcome.repaired_in)
    lines += [
        "",
        "Repair is the time from the fault, or from what the user asked for after it, to the end of the last",
        "job, less what the flow waits for by itself (a model that rests, a day in which nothing runs); the",
        f"runs hold it to {_minutes(evidence.TERMINAL_WITHIN)}. Longest: `{worst.point.label}`,",
        f"{worst.point.fault}.",
    ]
    return _wrapped(lines)


def _played(every: Sequence[campaign.Point], outcomes: Sequence[campaign.Outcome]) -> str:
    """Say which flows were played whole, and how much of the others."""
    ways = Counter(point.scenario.name for point in every)
    played = Counter(outcome.point.scenario.name for outcome in outcomes)
    whole = [name for name in ways if played[name] == ways[name]]
    if len(whole) == len(ways):
        return "each of which was played"
    of_whole = sum(ways[name] for name in whole)
    some = f"{len(outcomes) - of_whole:,} of which, evenly over all flows, were played in the last run"
    if not whole:
        return some
    return (
        f"of which the last run played all {of_whole:,} of {len(whole)} flows, those in which something is "
        f"judged, withdrawn or appealed among them, and {len(outcomes) - of_whole:,} of the other flows' "
        f"{len(every) - of_whole:,}, evenly over these"
    )


def of_pairs(outcomes: Sequence[pairs.Outcome]) -> str:
    counts = Counter(outcome.flow for outcome in outcomes)
    lines = [
        "The flow of a generation, on ports in memory: the process is killed at each call, before or after",
        "it took effect, and once more at each call of what follows. After each of",
        f"{len(outcomes):,} pairs the invariants held, every job had succeeded, and no prediction was paid",
        "for in vain.",
        "",
        "| flow | pairs | longest repair |",
        "| --- | --- | --- |",
    ]
    for flow, count in counts.items():
        of_flow = [outcome for outcome in outcomes if outcome.flow == flow]
        longest = max(outcome.repaired_in for outcome in of_flow)
        lines.append(f"| {flow} | {count:,} | {_minutes(longest)} |")
    return _wrapped(lines)


def _minutes(time: timedelta) -> str:
    minutes, seconds = divmod(round(time.total_seconds()), 60)
    return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"


def _wrapped(lines: Iterable[str], width: int = 120) -> str:
    """Join prose and break it anew; a row of a table stays whole."""
    blocks: list[str] = []
    for is_prose, group in groupby(lines, key=lambda line: bool(line) and not line.startswith("|")):
        block = list(group)
        blocks += [textwrap.fill(" ".join(block), width)] if is_prose else block
    return "\n".join(blocks)
