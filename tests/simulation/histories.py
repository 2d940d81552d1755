"""Many seeds' histories, two at a time, and the table of what happened in them."""

from __future__ import annotations

import multiprocessing
import sys
import traceback
from collections.abc import Iterator
from datetime import timedelta

from tests.report import write_section
from tests.simulation.play import REST_MAX, Tally, play
from tests.simulation.safety_history import JUDGED_WITHIN

SEEDS, STEPS = 1_000, 300
PROCESSES = 2
# Each so many-th history has a day without credit in its middle.
BLOCK_EVERY = 25


def has_block(seed: int) -> bool:
    return seed % BLOCK_EVERY == BLOCK_EVERY - 1


def run(seeds: int = SEEDS) -> int:
    """Play the seeds, write what happened, and return 1 if one of them ended in an error."""
    total, failed = Tally(), []
    with multiprocessing.Pool(PROCESSES) as pool:
        for number, (seed, outcome) in enumerate(pool.imap_unordered(_played, range(seeds)), start=1):
            if isinstance(outcome, Tally):
                total.add(outcome)
            else:
                failed.append(seed)
                sys.stdout.write(f"{outcome}\n")
            if number % 100 == 0:
                sys.stdout.write(f"{number} histories, {len(failed)} failed\n")
                sys.stdout.flush()
    sys.stdout.write("\n".join(_lines(total)) + "\n")
    if failed:
        sys.stdout.write(f"failed: {sorted(failed)}\n")
        return 1
    write_section("histories", report(total))
    return 0


def report(total: Tally) -> str:
    table = "\n".join(_lines(total))
    return f"""\
Each seed is one history of the real use cases on in-memory ports, in virtual time: five users on five
plans ask, look, cancel, delete and appeal for about an hour, four of them with models, photos and
trainings of their own whose consent some of them withdraw, and every {BLOCK_EVERY}th history has more
than a day without credit at Replicate. Processes, their twins among them, are interleaved at every call
to a port; each has a clock of its own, wrong by up to 4 s. The seed decides how bad the day is: 1-20 %
of Replicate's requests, of all invocations and of all messages and webhooks meet a fault, and 1-20 % of
its images are harmful. Replicate throttles, runs out of credit, locks the account, fails, lists late,
creates late, makes fewer images or unusable ones, aborts without a word, ignores cancels and deletes
after an hour; the webhooks' door is the real one, and closed for minutes. Of what is asked for, 17 % is
in doubt and 11 % refused at once. Judges answer at once or later, have no turn for all, forget what
they were asked, are away for up to an hour, or for the day without credit; a seed's installation waits
for them for 20 minutes or for a day, allows 1 to 10 strikes a day, and keeps blocked images for a week
or not at all.

{table}

After every step the money is counted anew from the ledger, by arithmetic of its own, and strikes,
suspensions and the blocked images of a day by another. No job was settled twice, no version of a model
that is gone is left at Replicate nor one that nobody knows of, nothing but the clean copies of accepted
photos and the weights of versions is left of them in the bucket, no image that could still be had was
given up, each recorded output is in the bucket byte for byte as Replicate made it, but for its mark, no
create was repeated while its first was good. Nothing was written to where users find it before its
judge had allowed these very bytes, no URL was given for anything else, nothing was claimed whose prompt
was in doubt and not judged. Of a model whose consent was withdrawn no job was claimed and no image
shown from that write on, and none of its files is left where it was published. Nobody who was suspended
was accepted. What is charged is what is shown, and what was blocked beyond the day's free images. Every
job ends within a day of waiting, its attempts and their deadlines, and its judge's time; once trouble
ceases, all is judged within {JUDGED_WITHIN.seconds // 60} minutes and everything rests within
{REST_MAX.seconds // 60}. *Left behind* are objects of which no row knows any more: of an attempt that
was given up, or of a process that met a fault between the settlement and tidying up. `DELETE` removes
them, as the rule of `quarantine/` does."""


def _played(seed: int) -> tuple[int, Tally | str]:
    try:
        return seed, play(seed, steps=STEPS, block=has_block(seed))
    except Exception as error:  # noqa: BLE001 - a process's edge: told to who waits, who goes on with the others
        return seed, "".join(traceback.format_exception(error))


def _lines(total: Tally) -> Iterator[str]:
    yield "| in all | |"
    yield "| --- | --- |"
    events = total.events
    ended = ", ".join(f"{count:,} {how}" for how, count in total.ends.most_common())
    rows = {
        "seeds; steps": f"{total.seeds:,}; {total.steps:,}",
        "jobs accepted": f"{total.accepted:,}",
        "how they ended": ended,
        "trainings accepted": f"{total.trainings_accepted:,}",
        "how those ended": ", ".join(f"{n:,} {how}" for how, n in total.trainings_end.most_common()),
        "models created; deleted": f"{events['models created']:,}; {events['models deleted']:,}",
        "photos accepted; rejected; expired": (
            f"{events['photos accepted']:,}; {events['photos rejected']:,}; {events['photos expired']:,}"
        ),
        "predictions created; trainings": f"{events['predictions']:,}; {events['trainings']:,}",
        "processes killed; stopped by their time-out": f"{events['killed']:,}; {events['timed out']:,}",
        "twins of a process": f"{events['twins']:,}",
        "AWS calls refused; unanswered": f"{events['aws refused']:,}; {events['aws unanswered']:,}",
        "requests to Replicate refused; unanswered": (
            f"{events['provider refused']:,}; {events['provider unanswered']:,}"
        ),
        "spells in which Replicate failed as a whole": f"{events['spells of bad weather']:,}",
        "creates whose fate nobody knew": f"{events['creates unknown']:,}",
        "messages and webhooks doubled": f"{events['duplicates']:,}",
        "webhooks written; lost for good; forged": (
            f"{events['webhooks written']:,}; {events['webhooks lost']:,}; {events['webhooks forged']:,}"
        ),
        "dead letters": f"{events['dead letters']:,}",
        "orphaned predictions, canceled": f"{events['orphans']:,}",
        "settled twice": str(total.settled_twice),
        "outputs lost": str(total.lost_outputs),
        "prompts in doubt passed by their judge; refused": (
            f"{events['prompts passed by the judge']:,}; {events['prompts refused by the judge']:,}"
        ),
        "images blocked; charged beyond the free ones": (
            f"{events['images blocked']:,}; {events['blocked images charged']:,}"
        ),
        "verdicts of judges; given later; tickets void": (
            f"{events['verdicts']:,}; {events['tickets']:,}; {events['tickets void']:,}"
        ),
        "spells of a judge away; questions turned away": (
            f"{events['judges away']:,}; {events['turned away by judges']:,}"
        ),
        "questions to judges refused; unanswered": (
            f"{events['judge refused']:,}; {events['judge unanswered']:,}"
        ),
        "generations that waited for their judge; the longest": (
            f"{events['generations judged later']:,}; {_spoken(total.longest_judging)}"
        ),
        "suspensions; lifted by operators": f"{events['suspensions']:,}; {events['suspensions lifted']:,}",
        "appeals; consents withdrawn": f"{events['appeals']:,}; {events['consents withdrawn']:,}",
        "objects left behind": f"{events['objects left behind']:,}",
        "longest from Replicate's success to our saved output": _spoken(total.longest_save),
        "longest life of a job": _spoken(total.longest_life),
        "longest rest after trouble": _spoken(total.longest_rest),
    }
    for name, value in rows.items():
        yield f"| {name} | {value} |"


def _spoken(time: timedelta) -> str:
    minutes = round(time.total_seconds() / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
