from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from revela.adapters.message_group import message_group
from revela.domain.errors import Transient
from revela.domain.prediction import Prediction
from revela.ports import FinishGeneration, Ref

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

    def __init__(
        self, client: SQSClient, *, generation_queue_url: str, generation_webhook_queue_url: str
    ) -> None:
        self._client = client
        self._generation_queue_url = generation_queue_url
        self._generation_webhook_queue_url = generation_webhook_queue_url

    def start_generations(self, refs: Iterable[Ref]) -> None:
        self._send(
            self._generation_queue_url,
            ((ref.user_id, {"user_id": ref.user_id, "id": ref.id}) for ref in refs),
        )

    def finish_generations(self, commands: Iterable[FinishGeneration]) -> None:
        self._send(
            self._generation_webhook_queue_url,
            (
                (
                    command.ref.user_id,
                    {
                        "user_id": command.ref.user_id,
                        "id": command.ref.id,
                        "attempt": command.attempt,
                        "prediction": _body(command.prediction),
                    },
                )
                for command in commands
            ),
        )

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
    """Return what `finish_generation` needs to know; the webhook's door sends the same shape."""
    body = prediction.model_dump(mode="json", exclude={"input", "version"})
    return body | {
        "output": body["output"][:_OUTPUTS_MAX],
        "error": prediction.error[:_ERROR_MAX_CHARS] if prediction.error else None,
    }
