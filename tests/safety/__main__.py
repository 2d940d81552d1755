"""Print how well the prompt policy judges, and write it into docs/safety.md: python -m tests.safety"""

from __future__ import annotations

import sys

from tests.report import write_section
from tests.safety.measure import PAGE, SECTION, report

sys.stdout.write(report() + "\n")
write_section(SECTION, report(), PAGE)
