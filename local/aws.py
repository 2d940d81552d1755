"""Clients of the embedded AWS, with the rights of its account's owner."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config

from local.template import REGION

# Not a secret: the embedded AWS takes this pair for the account's root user.
ROOT = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
READ_TIMEOUT_S = 180


@lru_cache
def client(service: str, endpoint_url: str) -> Any:
    """Return a boto3 client; invoking a function waits as long as the slowest one may take."""
    # Untyped: boto3 has an overload for each service by its literal name.
    create: Callable[..., Any] = boto3.client
    return create(
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        config=Config(read_timeout=READ_TIMEOUT_S, retries={"total_max_attempts": 1}),
        **ROOT,
    )
