"""Check photos that were uploaded: decode, judge within the set, keep a clean copy of what is accepted.

Trigger   SQS PhotoQueue, batches of 5: S3's word of an upload, or reconcile's of one that it never told of
Changes   photo awaiting_upload -> checking -> accepted | rejected, or expired; its model; files in S3
Delivery  at least once, in any order, late or never; a decided photo is never decided again
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from check_photo.messages import refs_of
from revela import bootstrap
from revela.observability import fault

logger, metrics = bootstrap.logger(), bootstrap.metrics()
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def handle_record(record: SQSRecord) -> None:
    with logger.append_context_keys(message_id=record.message_id):
        try:
            for ref in refs_of(record.body):
                logger.append_keys(photo_id=ref.id)
                bootstrap.check_photo()(ref)
        except Exception as error:
            # The batch processor answers for the record and says nothing of the cause.
            logger.error("check_failed", extra=fault(error))
            raise
        finally:
            logger.remove_keys(["photo_id"])


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, handle_record, processor, context)
