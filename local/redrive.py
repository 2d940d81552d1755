"""Brings dead letters back to the queue they failed in, as `aws sqs start-message-move-task` does in AWS.

The embedded AWS has no such call. Each message is sent anew, with its body, attributes and group, before it
leaves the dead letters: a redrive that breaks off may deliver twice, and loses nothing.
"""

from __future__ import annotations

import argparse
import json
from typing import Any, NamedTuple

from local import aws, state
from local.commands import Refused
from local.state import State

# SQS: as many as one call takes.
BATCH = 10
# As long as one batch may take to be sent; nobody else moves the same message meanwhile.
IN_HAND_S = 30


class Redrivable(NamedTuple):
    """URLs of a queue and of its dead letters."""

    queue: str
    dead_letters: str


def redrive(asked: argparse.Namespace) -> int:
    """Move back what lies in the dead letters of one queue, or of all."""
    current = state.read(asked.state_dir)
    sqs = aws.client("sqs", current.aws_endpoint_url)
    for name, queues in chosen(redrivable(sqs, current), asked.queue).items():
        print(f"{name}: {_told(*move_back(sqs, queues))}")
    return 0


def redrivable(sqs: Any, current: State) -> dict[str, Redrivable]:
    """Return the queues that have dead letters, by logical id."""
    attributes = {
        name: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "RedrivePolicy"])[
            "Attributes"
        ]
        for name, url in current.queues.items()
    }
    urls = {of["QueueArn"]: current.queues[name] for name, of in attributes.items()}
    return {
        name: Redrivable(current.queues[name], urls[json.loads(of["RedrivePolicy"])["deadLetterTargetArn"]])
        for name, of in sorted(attributes.items())
        if "RedrivePolicy" in of
    }


def chosen(known: dict[str, Redrivable], name: str | None) -> dict[str, Redrivable]:
    """Return all, or the one of that name. Raises Refused for a name that is none of them."""
    if name is None:
        return known
    if name not in known:
        raise Refused(f"no dead letters go back to {name}; there are those of: {', '.join(known)}")
    return {name: known[name]}


def move_back(sqs: Any, queues: Redrivable) -> tuple[int, int]:
    """Move all that can be received; return how many were moved, and how many somebody else has in hand.

    Raises:
        Refused: the queue did not take a message, which stays where it is.
    """
    moved = 0
    while letters := _receive(sqs, queues.dead_letters):
        sent = sqs.send_message_batch(
            QueueUrl=queues.queue, Entries=[_entry(n, letter) for n, letter in enumerate(letters)]
        )
        done = [letters[int(success["Id"])]["ReceiptHandle"] for success in sent.get("Successful", [])]
        if done:
            _delete(sqs, queues.dead_letters, done)
        moved += len(done)
        if failed := sent.get("Failed"):
            causes = ", ".join(sorted({failure["Code"] for failure in failed}))
            raise Refused(f"{moved} moved; then the queue did not take {len(failed)}: {causes}")
    in_hand = sqs.get_queue_attributes(
        QueueUrl=queues.dead_letters, AttributeNames=["ApproximateNumberOfMessagesNotVisible"]
    )
    return moved, int(in_hand["Attributes"]["ApproximateNumberOfMessagesNotVisible"])


def _receive(sqs: Any, url: str) -> list[dict[str, Any]]:
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=BATCH,
        VisibilityTimeout=IN_HAND_S,
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["MessageGroupId"],
    )
    letters: list[dict[str, Any]] = answer.get("Messages", [])
    return letters


def _entry(number: int, letter: dict[str, Any]) -> dict[str, Any]:
    group = letter.get("Attributes", {}).get("MessageGroupId")
    attributes = letter.get("MessageAttributes")
    return {
        "Id": str(number),
        "MessageBody": letter["Body"],
        **({"MessageAttributes": attributes} if attributes else {}),
        **({"MessageGroupId": group} if group else {}),
    }


def _delete(sqs: Any, url: str, handles: list[str]) -> None:
    entries = [{"Id": str(n), "ReceiptHandle": handle} for n, handle in enumerate(handles)]
    answer = sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    if failed := answer.get("Failed"):
        raise Refused(f"{len(failed)} were moved and could not be removed from the dead letters")


def _told(moved: int, in_hand: int) -> str:
    told = f"{moved} message{'s' * (moved != 1)} moved back" if moved else "no dead letters to move"
    return f"{told}; somebody is looking at {in_hand} more, try again in a while" if in_hand else told
