from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from revela.domain.events import DomainEvent

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "revela"
# AWS: PutEvents takes ten.
_BATCH = 10


class EventBridgeEvents:
    """Events are told as `detail-type` = the event's name, `source` = revela, `detail` = its fields."""

    def __init__(self, client: EventBridgeClient, bus: str) -> None:
        self._client = client
        self._bus = bus

    def publish(self, events: Sequence[DomainEvent]) -> list[int]:
        untold: list[int] = []
        for start in range(0, len(events), _BATCH):
            untold += [start + position for position in self._put(events[start : start + _BATCH])]
        return untold

    def _put(self, events: Sequence[DomainEvent]) -> list[int]:
        try:
            answer = self._client.put_events(
                Entries=[
                    {
                        "EventBusName": self._bus,
                        "Source": SOURCE,
                        "DetailType": event.name,
                        "Detail": event.model_dump_json(),
                        "Time": event.at,
                    }
                    for event in events
                ]
            )
        except (ClientError, BotoCoreError):
            return list(range(len(events)))
        # A call that succeeds may still have left entries behind.
        return [position for position, entry in enumerate(answer["Entries"]) if "ErrorCode" in entry]
