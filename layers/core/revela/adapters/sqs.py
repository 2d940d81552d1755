from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from revela.adapters.message_group import message_group
from revela.domain.errors import Transient
from revela.domain.prediction import Prediction
from revela.ports import ProviderReport, Ref
from revela.settings import Queues

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# AWS: SendMessageBatch takes ten.
_BATCH = 10
_TRIES = 3
# A message stays far below every size limit: what is longer is of no use to the worker.
_ERROR_MAX_CHARS = 2_000
_OUTPUTS_MAX = 8


class SqsCommands:
    """Messages are grouped by user on standard queues, so that one busy user does not hold up the rest."""

    def __init__(self, client: SQSClient, queues: Queues) -> None:
        self._client = client
        # By whether they are of trainings.
        self._start_urls = {False: queues.generation, True: queues.training}
        self._finish_urls = {False: queues.generation_webhook, True: queues.training_webhook}
        self._photo_url = queues.photo

    def start(self, refs: Iterable[Ref]) -> None:
        messages = [(ref, {"user_id": ref.user_id, "id": ref.id}) for ref in refs]
        self._send_each_kind(self._start_urls, messages)

    def finish(self, reports: Iterable[ProviderReport]) -> None:
        messages = [
            (
                report.ref,
                {
                    "user_id": report.ref.user_id,
                    "id": report.ref.id,
                    "attempt": report.attempt,
                    "prediction": _body(report.prediction),
                },
            )
            for report in reports
        ]
        self._send_each_kind(self._finish_urls, messages)

    def check(self, photos: Iterable[Ref]) -> None:
        self._send(
            self._photo_url,
            ((ref.user_id, {"user_id": ref.user_id, "id": ref.id}) for ref in photos),
        )

    def _send_each_kind(self, urls: dict[bool, str], messages: list[tuple[Ref, dict[str, Any]]]) -> None:
        for of_training, url in urls.items():
            self._send(url, ((ref.user_id, body) for ref, body in messages if ref.of_training is of_training))

    def _send(self, queue_url: str, messages: Iterable[tuple[str, dict[str, Any]]]) -> None:
        waiting = iter(messages)
        while batch := list(islice(waiting, _BATCH)):
            entries = [
                {
                    "Id": str(position),
                    "MessageBody": json.dumps(body, separators=(",", ":")),
                    "MessageGroupId": message_group(user_id),
                }
                for position, (user_id, body) in enumerate(batch)
            ]
            self._send_batch(queue_url, entries)

    def _send_batch(self, queue_url: str, entries: list[Any]) -> None:
        """Send all, those that the queue did not take again."""
        for _ in range(_TRIES):
            try:
                answer = self._client.send_message_batch(QueueUrl=queue_url, Entries=entries)
            except (ClientError, BotoCoreError) as error:
                raise Transient(f"SQS: {type(error).__name__}") from error
            failed = {failure["Id"]: failure["Code"] for failure in answer.get("Failed", [])}
            if not failed:
                return
            entries = [entry for entry in entries if entry["Id"] in failed]
        raise Transient(f"SQS: {', '.join(sorted(set(failed.values())))}")


def _body(prediction: Prediction) -> dict[str, Any]:
    """Return what its worker needs to know; the webhook's door sends the same shape."""
    body = prediction.model_dump(mode="json", exclude={"input", "version", "logs"})
    for field in ("trained_version", "weights_url"):
        if body[field] is None:
            del body[field]
    return body | {
        "output": body["output"][:_OUTPUTS_MAX],
        "error": prediction.error[:_ERROR_MAX_CHARS] if prediction.error else None,
    }
