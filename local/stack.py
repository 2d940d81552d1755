"""The stack: deployed to the embedded AWS, then held against the template.

A stack that says CREATE_COMPLETE may lack what the embedded AWS silently skipped, so every route, trigger,
table and notification is asked for by name.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import aws, template

STACK = "revela"
ARTIFACTS_BUCKET = "revela-artifacts"
DEPLOY_TIMEOUT_S = 120
POLL_INTERVAL_S = 0.1
FUNCTION = "AWS::Serverless::Function"


class DeployFailed(Exception):
    """Says which resource failed, or what is missing."""


@dataclass(frozen=True)
class Deployed:
    """By logical id: `physical` names, URLs or ids, resource `types`, and `folders` of functions/."""

    outputs: dict[str, str]
    physical: dict[str, str]
    types: dict[str, str]
    folders: dict[str, str]

    def of_type(self, resource_type: str) -> dict[str, str]:
        """Return logical ids and physical ones of all resources of one type."""
        return {
            logical: self.physical[logical] for logical, kind in self.types.items() if kind == resource_type
        }


def deploy(
    endpoint_url: str,
    *,
    template_path: Path,
    functions: Path,
    layers: Mapping[str, Path],
    api_url: str,
    parameters: Mapping[str, str],
) -> Deployed:
    """Create the stack and check that it is whole. `functions` is an archive, `layers` are unpacked.

    Raises:
        DeployFailed: it could not be created, or lacks something.
    """
    source = template.load(template_path)
    folders = {
        logical_id: resource["Properties"]["Handler"].partition(".")[0]
        for logical_id, resource in source["Resources"].items()
        if resource["Type"] == FUNCTION
    }
    s3 = aws.client("s3", endpoint_url)
    s3.create_bucket(Bucket=ARTIFACTS_BUCKET)
    s3.put_object(Bucket=ARTIFACTS_BUCKET, Key=functions.name, Body=functions.read_bytes())
    translated = template.translate(
        source,
        code=dict.fromkeys([*folders, *layers], functions.name),
        bucket=ARTIFACTS_BUCKET,
        parameters=parameters,
    )
    wanted = template.localize(translated, api_url=api_url, layers=layers, parameters=parameters)
    _create(endpoint_url, wanted, parameters)
    deployed = _describe(endpoint_url, folders)
    missing = [*_missing_routes(endpoint_url, wanted), *_missing_triggers(endpoint_url, wanted, deployed)]
    missing += _missing_tables(endpoint_url, wanted, deployed)
    missing += _missing_notifications(endpoint_url, wanted, deployed)
    if missing:
        raise DeployFailed("the embedded AWS left out: " + ", ".join(missing))
    return deployed


def _create(endpoint_url: str, wanted: template.Template, parameters: Mapping[str, str]) -> None:
    # By URL, as `sam deploy` does: the template is larger than a request may be.
    key = "template.json"
    aws.client("s3", endpoint_url).put_object(
        Bucket=ARTIFACTS_BUCKET, Key=key, Body=json.dumps(wanted).encode()
    )
    cloudformation = aws.client("cloudformation", endpoint_url)
    cloudformation.create_stack(
        StackName=STACK,
        TemplateURL=f"{endpoint_url}/{ARTIFACTS_BUCKET}/{key}",
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    give_up_at = time.monotonic() + DEPLOY_TIMEOUT_S
    while (
        status := cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]
    ) != "CREATE_COMPLETE":
        if status != "CREATE_IN_PROGRESS" or time.monotonic() > give_up_at:
            events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
            reasons = [
                f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}"
                for event in events
                if event["ResourceStatus"].endswith("FAILED")
            ]
            raise DeployFailed(f"the stack is {status}; " + "; ".join(reasons))
        time.sleep(POLL_INTERVAL_S)


def _describe(endpoint_url: str, folders: dict[str, str]) -> Deployed:
    cloudformation = aws.client("cloudformation", endpoint_url)
    stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    return Deployed(
        outputs={output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]},
        physical={resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources},
        types={resource["LogicalResourceId"]: resource["ResourceType"] for resource in resources},
        folders=folders,
    )


def _missing_routes(endpoint_url: str, wanted: template.Template) -> Iterator[str]:
    apis = aws.client("apigatewayv2", endpoint_url)
    there = {
        template.Route(route["RouteKey"], route["AuthorizationType"] == "JWT")
        for route in apis.get_routes(ApiId=template.API_ID)["Items"]
    }
    for route in template.routes(wanted):
        if route not in there:
            yield f"route {route.key}"
    if "AllowOrigins" not in apis.get_api(ApiId=template.API_ID).get("CorsConfiguration", {}):
        yield "CORS of the API"


def _missing_triggers(endpoint_url: str, wanted: template.Template, deployed: Deployed) -> Iterator[str]:
    mappings = aws.client("lambda", endpoint_url).list_event_source_mappings()["EventSourceMappings"]
    enabled = {mapping["UUID"] for mapping in mappings if mapping["State"] == "Enabled"}
    rules = aws.client("events", endpoint_url)
    for logical_id, resource in wanted["Resources"].items():
        physical = deployed.physical.get(logical_id, "")
        if resource["Type"] == "AWS::Lambda::EventSourceMapping" and physical not in enabled:
            yield f"trigger {logical_id}"
        if (
            resource["Type"] == "AWS::Events::Rule"
            and not rules.list_targets_by_rule(Rule=physical)["Targets"]
        ):
            yield f"schedule {logical_id}"


def _missing_tables(endpoint_url: str, wanted: template.Template, deployed: Deployed) -> Iterator[str]:
    dynamodb = aws.client("dynamodb", endpoint_url)
    for logical_id, resource in wanted["Resources"].items():
        if resource["Type"] != "AWS::DynamoDB::Table":
            continue
        properties: dict[str, Any] = resource["Properties"]
        table = dynamodb.describe_table(TableName=deployed.physical[logical_id])["Table"]
        there = {index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])}
        for index in properties.get("GlobalSecondaryIndexes", []):
            if index["IndexName"] not in there:
                yield f"index {index['IndexName']} of {logical_id}"
        if "StreamSpecification" in properties and "LatestStreamArn" not in table:
            yield f"stream of {logical_id}"


def _missing_notifications(endpoint_url: str, wanted: template.Template, deployed: Deployed) -> Iterator[str]:
    s3 = aws.client("s3", endpoint_url)
    for logical_id, resource in wanted["Resources"].items():
        if "NotificationConfiguration" not in resource.get("Properties", {}):
            continue
        asked = resource["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
        there = s3.get_bucket_notification_configuration(Bucket=deployed.physical[logical_id])
        if len(there.get("QueueConfigurations", [])) != len(asked):
            yield f"notifications of {logical_id}"
