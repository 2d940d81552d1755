"""The limiter matrix, whole: its table as Markdown on stdout; exits with 1 if a bound is missed unexplained.

PYTHONPATH=layers/core python -m tests.simulation.limiter
"""

from __future__ import annotations

import sys

from tests.simulation.limiter.matrix import table


def main() -> int:
    failed = False
    for line in table():
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        failed = failed or line.endswith("unexplained**")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
