"""Start trainings: pack a queued training's photos and take it to Replicate.

Trigger   SQS TrainingQueue, one at a time, failures reported
Changes   training queued -> starting -> processing, or back to queued, failed, canceled; account, ledger
Delivery  at least once, in any order; what is not queued any more is acknowledged
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from revela import bootstrap
from revela.observability import fault
from revela.ports import Ref

logger, metrics = bootstrap.logger(), bootstrap.metrics()
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


class Message(BaseModel):
    user_id: str
    id: str


def handle_record(record: SQSRecord, lambda_context: LambdaContext) -> None:
    with logger.append_context_keys(message_id=record.message_id):
        try:
            message = Message.model_validate_json(record.body)
            logger.append_keys(training_id=message.id)
            bootstrap.start_training()(
                Ref(message.user_id, message.id), until=bootstrap.ends_at(lambda_context)
            )
        except Exception as error:
            # The batch processor answers for the record and says nothing of the cause.
            logger.error("start_faulted", extra=fault(error))
            raise
        finally:
            logger.remove_keys(["training_id"])


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, handle_record, processor, context)
