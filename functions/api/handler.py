"""Answer the HTTP API: requests of users hold credits, write rows and queue work.

Trigger   HTTP API, the routes of template.yaml; API Gateway has verified the token
Changes   account, ledger; generation -> waiting | queued | canceled | gone, and its appeal;
          model -> draft | deleting, and its consent; photo -> awaiting_upload | gone;
          training -> queued | canceled; sends to the queues of both jobs
Delivery  at most once; clients repeat, and a POST that spends is safe to repeat under its Idempotency-Key
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from api.app import app
from revela import bootstrap

logger, metrics = bootstrap.logger(), bootstrap.metrics()


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP, clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
