"""Print how well the prompt policy judges: python -m tests.safety; --write puts it into docs/safety.md."""

from __future__ import annotations

import sys

from tests.report import write_section
from tests.safety.measure import PAGE, SECTION, report

sys.stdout.write(report() + "\n")
if "--write" in sys.argv[1:]:
    write_section(SECTION, report(), PAGE)
