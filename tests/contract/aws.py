"""AWS in process (moto), with the tables that the template describes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws

from revela import settings
from revela.adapters.dynamodb.tables import Tables

REGION = "us-east-1"
NAMES = settings.Tables("Generations", "Models", "Credits", "Ledger", "Control")
# What describes a table to DynamoDB, of all that CloudFormation takes.
_CREATE = (
    "AttributeDefinitions",
    "BillingMode",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "StreamSpecification",
)


class _Template(yaml.SafeLoader):
    """Reads CloudFormation's short functions as nothing: tables are described without them."""


_Template.add_multi_constructor("!", lambda *_: None)


@contextmanager
def aws() -> Iterator[None]:
    with mock_aws(), pytest.MonkeyPatch.context() as environ:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            environ.setenv(name, "testing")
        environ.setenv("AWS_DEFAULT_REGION", REGION)
        environ.delenv("AWS_ENDPOINT_URL", raising=False)
        environ.delenv("AWS_PROFILE", raising=False)
        yield


def deploy_tables() -> Tables:
    """Create the tables of the template, and return the adapters' view of them."""
    client = boto3.client("dynamodb", region_name=REGION)
    resources = _resources()
    for name in (NAMES.generations, NAMES.models, NAMES.credits, NAMES.ledger, NAMES.control):
        properties: dict[str, Any] = resources[f"{name}Table"]["Properties"]
        client.create_table(
            TableName=name,
            **{key: _stream(value) for key, value in properties.items() if key in _CREATE},
        )
    return Tables(NAMES, region=REGION)


def _stream(value: Any) -> Any:
    # CloudFormation leaves out what the API wants said.
    return (
        {**value, "StreamEnabled": True} if isinstance(value, dict) and "StreamViewType" in value else value
    )


@cache
def _resources() -> Any:
    template = Path(__file__).parents[2] / "template.yaml"
    return yaml.load(template.read_text("utf-8"), _Template)["Resources"]
