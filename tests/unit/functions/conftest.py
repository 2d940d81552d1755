"""What template.yaml sets for every function, before the first handler is imported."""

from __future__ import annotations

import os

os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "Revela")
os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "revela")
