"""What the running system keeps, read past its API: objects, rows, messages."""

from __future__ import annotations

from local import aws
from local.state import State
from tests.e2e.users import User


def keys(current: State, prefix: str) -> list[str]:
    """Return the keys below a prefix."""
    pages = (
        aws.client("s3", current.aws_endpoint_url)
        .get_paginator("list_objects_v2")
        .paginate(Bucket=current.bucket, Prefix=prefix)
    )
    return [found["Key"] for page in pages for found in page.get("Contents", [])]


def quarantined(current: State, user: User, id_: str) -> list[str]:
    return keys(current, f"quarantine/{user.name}/{id_}/")


def published(current: State, user: User, id_: str) -> list[str]:
    """Return the keys of the images, thumbnails aside."""
    found = keys(current, f"users/{user.name}/generations/{id_}/")
    return [key for key in found if not key.endswith(".thumbnail.webp")]


def states(current: State, user: User) -> list[str]:
    """Return the state of each generation, in the order of asking."""
    return [row["state"]["S"] for row in _rows(current, user, "gen_")]


def waiting_pointers(current: State, user: User) -> list[str]:
    return [row["id"]["S"] for row in _rows(current, user, "wait#")]


def messages(current: State, queue: str) -> int:
    """Return how many a queue holds, those that somebody has received included."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = aws.client("sqs", current.aws_endpoint_url).get_queue_attributes(
        QueueUrl=current.queues[queue], AttributeNames=names
    )["Attributes"]
    return sum(int(attributes[name]) for name in names)


def _rows(current: State, user: User, prefix: str) -> list[dict[str, dict[str, str]]]:
    pages = (
        aws.client("dynamodb", current.aws_endpoint_url)
        .get_paginator("query")
        .paginate(
            TableName=current.tables["generations"],
            KeyConditionExpression="user_id = :user AND begins_with(id, :prefix)",
            ExpressionAttributeValues={":user": {"S": user.name}, ":prefix": {"S": prefix}},
        )
    )
    return [row for page in pages for row in page["Items"]]
