"""GenerationWebhookQueue as the open door writes to it: botocore's client, no pydantic."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from revela.domain.errors import Transient

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# What SQS takes as a message group: 128 letters, digits and marks of ASCII.
_GROUP = re.compile(r"[!-~]{1,128}")


class WebhookReports:
    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, user_id: str, report: Mapping[str, Any]) -> None:
        """Send a report in its user's group, so that one user's many do not delay the others'.

        Raises Transient.
        """
        group = user_id if _GROUP.fullmatch(user_id) else hashlib.sha256(user_id.encode()).hexdigest()
        try:
            self._client.send_message(
                QueueUrl=self._queue_url, MessageBody=json.dumps(report), MessageGroupId=group
            )
        except (BotoCoreError, ClientError) as error:
            raise Transient("the report could not be sent") from error
