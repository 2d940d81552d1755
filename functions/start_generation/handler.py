"""Start generations: have prompts in doubt judged, take queued jobs to Replicate at the account's pace.

Trigger   SQS GenerationQueue, batches of 10, failures reported per message
Changes   generation queued -> starting -> processing, or back to queued, failed, canceled; account, ledger
Delivery  at least once, in any order; what is not queued any more is acknowledged
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ValidationError

from revela import bootstrap
from revela.observability import fault
from revela.ports import Ref

logger, metrics = bootstrap.logger(), bootstrap.metrics()


class Message(BaseModel):
    user_id: str
    id: str


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    refs: dict[str, Ref] = {}
    failed: set[str] = set()
    for record in event["Records"]:
        try:
            message = Message.model_validate_json(record["body"])
        except ValidationError:
            # Not ours: its dead-letter queue is where people look for it.
            logger.error("unreadable_message", extra={"message_id": record["messageId"]})
            failed.add(record["messageId"])
        else:
            refs[record["messageId"]] = Ref(message.user_id, message.id)
    again = _start(list(refs.values()), until=bootstrap.ends_at(context))
    failed |= {message_id for message_id, ref in refs.items() if ref in again}
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in sorted(failed)]}


def _start(refs: list[Ref], *, until: datetime) -> list[Ref]:
    """Return what is to be delivered again: after a fault that nobody foresaw, what fails by itself."""
    try:
        return bootstrap.start_generation()(refs, until=until)
    except Exception as error:  # noqa: BLE001  # the process's edge: Lambda would return the whole batch
        jobs = [ref.id for ref in refs]
        logger.error("start_faulted", extra={"generation_ids": jobs, **fault(error)})
    # Whoever came before the faulty one has started, and is acknowledged now.
    return refs if len(refs) == 1 else [ref for alone in refs for ref in _start([alone], until=until)]
