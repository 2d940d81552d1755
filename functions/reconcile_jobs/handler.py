"""Reconcile jobs: move on whatever is due or went silent, with or without webhooks.

Trigger   schedule, every minute
Changes   due_at of what it visits; sends to the queues of all workers; ends what is too old; deletes models
Delivery  at least once, two runs may overlap; each row is claimed by moving its due_at
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from revela import bootstrap

logger, metrics = bootstrap.logger(), bootstrap.metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    return {"visited": bootstrap.reconcile_jobs()(until=bootstrap.ends_at(context))}
