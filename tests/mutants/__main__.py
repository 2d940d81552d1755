"""Plant each bug, see its test fail; the whole run writes its table into docs/reliability.md.

python -m tests.mutants [NAME...]      exits with 1 unless every mutant was killed
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.mutants.judging import Fate, Verdict, judge, trial, verdict
from tests.mutants.mutant import AREAS, CORE_AREAS, Mutant, load
from tests.report import write_section

AT_ONCE = 2


def main(arguments: Sequence[str]) -> int:
    every = load()
    mutants = chosen(every, arguments)
    fate, why = verdict(trial(sorted({mutant.killed_by for mutant in mutants})))
    if fate is not Fate.SURVIVED:
        say(f"Without any bug, the tests do not pass: {why}")
        return 1
    verdicts = []
    say("| name | area | what goes wrong | killed by | s |\n| --- | --- | --- | --- | --- |")
    with ThreadPoolExecutor(AT_ONCE) as trials:
        for judged in trials.map(judge, mutants):
            say(f"{row(judged)} {judged.took_s:.1f} |")
            verdicts.append(judged)
    say(f"\n{counts(verdicts)}")
    if mutants == every:
        write_section("mutants", page(verdicts))
    return 0 if all(judged.fate is Fate.KILLED for judged in verdicts) else 1


def chosen(every: list[Mutant], arguments: Sequence[str]) -> list[Mutant]:
    """Return the mutants named, all if none is. Ends the process on a name that is none."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("names", metavar="NAME", nargs="*", help="a mutant's name, or an area: all if none")
    wanted = set(parser.parse_args(arguments).names)
    if unknown := wanted - {mutant.name for mutant in every} - set(AREAS):
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    return [mutant for mutant in every if not wanted or {mutant.name, mutant.area} & wanted]


def row(judged: Verdict) -> str:
    """Return the table's row of a mutant: its test if that killed it, else why not."""
    mutant = judged.mutant
    path, _, test = mutant.killed_by.partition("::")
    killer = f"`{test}` ({path.removeprefix('tests/')})"
    if judged.fate is not Fate.KILLED:
        killer = f"**{judged.fate}: {judged.why}** by {killer}"
    return f"| {mutant.name} | {mutant.area} | {mutant.what} | {killer} |"


def counts(verdicts: Iterable[Verdict]) -> str:
    fates = Counter(judged.fate for judged in verdicts)
    return ", ".join(f"{fates[fate]} {fate}" for fate in Fate)


def page(verdicts: Sequence[Verdict]) -> str:
    """Return the section of docs/reliability.md: no times, so that it changes only when its news do."""
    core = sum(judged.mutant.area in CORE_AREAS for judged in verdicts)
    lines = (
        f"{len(verdicts)} bugs, {core} of them in {', '.join(CORE_AREAS)}, one at a time:",
        f"{counts(verdicts)}.",
        "Killed means that the test named here fails by what it asserts of the behaviour. Code that cannot",
        "run at all counts as broken and fails the run, as a survivor does. The list is in `tests/mutants`.",
        "",
        "| name | area | what goes wrong | killed by |",
        "| --- | --- | --- | --- |",
        *(row(judged) for judged in verdicts),
    )
    return "\n".join(lines)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
