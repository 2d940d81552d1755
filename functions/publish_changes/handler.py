"""Publish changes: tell the event bus what happened to generations.

Trigger   DynamoDB stream of the Generations table, batches of 100, failures reported per record
Changes   nothing; events Generation{Queued,Started,Succeeded,Failed,Canceled} on the bus
Delivery  at least once, in order per generation; an event told twice has the same id
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.data_classes import DynamoDBStreamEvent
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import StreamRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from revela import bootstrap
from revela.domain.events import GenerationSeen
from revela.usecases.publish_changes import RowChange

logger, metrics = bootstrap.logger(), bootstrap.metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(
    event: dict[str, Any],
    context: LambdaContext,  # noqa: ARG001  # what Lambda calls a handler with
) -> dict[str, list[dict[str, str]]]:
    numbers: list[str] = []
    changes: list[RowChange] = []
    failed: set[str] = set()
    for record in DynamoDBStreamEvent(event).records:
        stream = record.dynamodb
        # The template filters pointers, keys and removals out; who invokes by hand may not.
        if stream is None or not stream.new_image or not str(stream.keys.get("id")).startswith("gen_"):
            continue
        number = str(stream.sequence_number)
        try:
            changes.append(_read(stream))
        except ValidationError:
            logger.error("unreadable_row", extra={"sequence_number": number})
            failed.add(number)
        else:
            numbers.append(number)
    failed |= {numbers[position] for position in bootstrap.publish_changes()(changes)}
    return {"batchItemFailures": [{"itemIdentifier": number} for number in sorted(failed)]}


def _read(stream: StreamRecord) -> RowChange:
    before = GenerationSeen.model_validate(stream.old_image) if stream.old_image else None
    return RowChange(before, GenerationSeen.model_validate(stream.new_image))
