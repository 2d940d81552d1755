"""The long proofs, one after the other; exits with 1 if any of them fails.

PYTHONPATH=layers/core python -m tests.simulation.soak
PYTHONPATH=layers/core python -m tests.simulation.soak --seed 17    replays one history, step by step
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from tests.simulation import histories
from tests.simulation.play import play

PROOFS = ("silence", "limiter", "crash_points", "crash_points pairs")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.soak")
    parser.add_argument("--seeds", type=int, default=histories.SEEDS, help="how many histories")
    parser.add_argument("--seed", type=int, help="replay this history alone")
    parser.add_argument("--steps", type=int, default=histories.STEPS, help="of the history to replay")
    parser.add_argument("--block", action="store_true", help="it has a day without credit")
    parser.add_argument("--only", choices=["histories", *PROOFS], help="run one of the proofs")
    asked = parser.parse_args()
    if asked.seed is not None:
        sys.stdout.write(f"{play(asked.seed, steps=asked.steps, block=asked.block, tell=_say)}\n")
        return 0
    failed = []
    if asked.only in (None, "histories"):
        _say("# histories")
        failed += ["histories"] if histories.run(asked.seeds) else []
    for proof in PROOFS if asked.only is None else [p for p in PROOFS if p == asked.only]:
        _say(f"# {proof}")
        module, *arguments = proof.split()
        # Each in a process of its own: they have nothing in common but the machine.
        command = [sys.executable, "-m", f"tests.simulation.{module}", *arguments]
        failed += [proof] if subprocess.run(command, check=False).returncode else []
    _say(f"failed: {', '.join(failed)}" if failed else "all proofs hold")
    return 1 if failed else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
