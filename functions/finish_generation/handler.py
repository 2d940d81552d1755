"""Finish generations that Replicate reported on: outputs into quarantine, judged, published; credits settled.

Trigger   SQS GenerationWebhookQueue, one at a time, failures reported per message
Changes   generation starting, processing -> saving -> judging -> succeeded, failed, canceled, queued; credits
Delivery  at least once, in any order; what the row already knows changes nothing
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from revela import bootstrap
from revela.domain.prediction import Prediction
from revela.observability import fault
from revela.ports import ProviderReport, Ref

logger, metrics = bootstrap.logger(), bootstrap.metrics()
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


class Message(BaseModel):
    user_id: str
    id: str
    attempt: int
    prediction: Prediction


def handle_record(record: SQSRecord, lambda_context: LambdaContext) -> None:
    with logger.append_context_keys(message_id=record.message_id):
        try:
            message = Message.model_validate_json(record.body)
            logger.append_keys(generation_id=message.id, attempt=message.attempt)
            command = ProviderReport(Ref(message.user_id, message.id), message.attempt, message.prediction)
            bootstrap.finish_generation()(command, until=bootstrap.ends_at(lambda_context))
        except Exception as error:
            # The batch processor answers for the record and says nothing of the cause.
            logger.error("finish_failed", extra=fault(error))
            raise
        finally:
            logger.remove_keys(["generation_id", "attempt"])


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, handle_record, processor, context)
