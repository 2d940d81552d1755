"""The queues of webhooks as the open door writes to them: botocore's client, no pydantic."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from revela.adapters.message_group import message_group
from revela.domain.errors import Transient
from revela.settings import Queues

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class WebhookReports:
    def __init__(self, client: SQSClient, queues: Queues) -> None:
        self._client = client
        self._urls = {False: queues.generation_webhook, True: queues.training_webhook}

    def send(self, user_id: str, report: Mapping[str, Any]) -> None:
        """Send one report. Raises Transient."""
        try:
            self._client.send_message(
                QueueUrl=self._urls["#trn_" in report["id"]],
                MessageBody=json.dumps(report, separators=(",", ":")),
                MessageGroupId=message_group(user_id),
            )
        except (BotoCoreError, ClientError) as error:
            raise Transient(f"SQS: {type(error).__name__}") from error
