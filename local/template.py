"""template.yaml, translated into CloudFormation that the embedded AWS can deploy.

The SAM transform is the real one. What ministack does not read is rewritten: the API's OpenAPI body becomes
routes, integrations and authorizers, and the API's own address the local one. What has no meaning on one
machine is left out: alarms, the demand for TLS, policies for data that outlives its stack.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# ministack gives the API the id that this tag asks for, so that its URL is known before it is deployed.
API_ID_TAG = "ms-custom-id"
API_ID = "a1b2c3d4"
PUBLIC_API_URL = "https://${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}"
REGION = "us-east-1"
BUCKET = "revela-local"

Template = dict[str, Any]


@dataclass(frozen=True)
class Route:
    """A route of the API and whether it asks for a token."""

    key: str
    authorized: bool


def load(path: Path) -> Template:
    """Return template.yaml as written, short intrinsic forms (!Ref) spelled out."""
    from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

    template: Template = yaml_parse(path.read_text())
    return template


def translate(
    source: Template, *, code: Mapping[str, str], bucket: str, parameters: Mapping[str, str]
) -> Template:
    """Return plain CloudFormation: the SAM transform applied, packages taken from a bucket.

    `code` maps logical ids of functions and layers to keys in that bucket.
    """
    # The transform asks for a region to learn its partition, and loads for a second: hence here.
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    from samtranslator.translator.transform import transform  # type: ignore[import-untyped]  # ships no types

    for logical_id, key in code.items():
        properties = source["Resources"][logical_id]["Properties"]
        location = "CodeUri" if "CodeUri" in properties else "ContentUri"
        properties[location] = {"Bucket": bucket, "Key": key}
    template: Template = transform(source, dict(parameters), _NoManagedPolicies())
    return template


def localize(
    template: Template, *, api_url: str, layers: Mapping[str, Path], parameters: Mapping[str, str]
) -> Template:
    """Return the template with what ministack does not read written out.

    `layers` maps the name of each layer to its directory for the import path.
    """
    resources: dict[str, Any] = {}
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] in _MEANINGLESS_HERE:
            continue
        kept = {key: value for key, value in resource.items() if key not in _DATA_POLICIES}
        resources[logical_id] = kept
        if kept["Type"] == "AWS::ApiGatewayV2::Api":
            body = kept["Properties"].pop("Body")
            kept["Properties"] |= {
                "Name": logical_id,
                "ProtocolType": "HTTP",
                "Tags": {API_ID_TAG: API_ID},
                # Kept as found, and read in OpenAPI's spelling.
                "CorsConfiguration": body["x-amazon-apigateway-cors"],
            }
            resources |= dict(_written_out(logical_id, body))
        if kept["Type"] == "AWS::Lambda::Function":
            _put_on_import_path(kept["Properties"], template["Resources"], layers)
        if kept["Type"] == "AWS::Lambda::EventSourceMapping" and "ScalingConfig" in kept["Properties"]:
            # CloudFormation makes a number of a parameter's text where a property wants one.
            scaling = kept["Properties"]["ScalingConfig"]
            scaling["MaximumConcurrency"] = int(_value(template, scaling["MaximumConcurrency"], parameters))
        if kept["Type"] == "AWS::S3::Bucket":
            # A name to rely on, as all others have here; in AWS it must differ from everybody else's.
            kept["Properties"]["BucketName"] = BUCKET
        if kept["Type"] == "AWS::IAM::Role":
            for policy in kept["Properties"]["Policies"]:
                _name_batches(policy["PolicyDocument"]["Statement"])
    localized: Template = _replace({**template, "Resources": resources}, {"Fn::Sub": PUBLIC_API_URL}, api_url)
    return localized


def routes(template: Template) -> list[Route]:
    """Return the routes of a localized template."""
    return [
        Route(resource["Properties"]["RouteKey"], resource["Properties"]["AuthorizationType"] == "JWT")
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::ApiGatewayV2::Route"
    ]


_DATA_POLICIES = ("DeletionPolicy", "UpdateReplacePolicy")
# There are no metrics to watch, the bucket's policy demands TLS, which loopback does without, and layers lie
# unpacked on this machine.
_MEANINGLESS_HERE = ("AWS::CloudWatch::Alarm", "AWS::S3::BucketPolicy", "AWS::Lambda::LayerVersion")


class _NoManagedPolicies:
    """The template names none: each role says what it may do."""

    def load(self) -> dict[str, str]:
        return {}


def _written_out(api: str, body: Mapping[str, Any]) -> Iterator[tuple[str, Template]]:
    api_ref = {"Ref": api}
    for name, scheme in body["components"]["securitySchemes"].items():
        authorizer = scheme["x-amazon-apigateway-authorizer"]
        yield (
            f"{api}Authorizer{name}",
            {
                "Type": "AWS::ApiGatewayV2::Authorizer",
                "Properties": {
                    "ApiId": api_ref,
                    "Name": name,
                    "AuthorizerType": "JWT",
                    "IdentitySource": [authorizer["identitySource"]],
                    "JwtConfiguration": {
                        "Issuer": authorizer["jwtConfiguration"]["issuer"],
                        "Audience": authorizer["jwtConfiguration"]["audience"],
                    },
                },
            },
        )
    operations = (
        (path, method, operation)
        for path, methods in body["paths"].items()
        for method, operation in methods.items()
    )
    for number, (path, method, operation) in enumerate(operations):
        integration = operation["x-amazon-apigateway-integration"]
        yield (
            f"{api}Integration{number}",
            {
                "Type": "AWS::ApiGatewayV2::Integration",
                "Properties": {
                    "ApiId": api_ref,
                    "IntegrationType": "AWS_PROXY",
                    "IntegrationUri": integration["uri"],
                    "PayloadFormatVersion": integration["payloadFormatVersion"],
                },
            },
        )
        (scheme,) = (name for requirement in operation["security"] for name in requirement)
        open_to_all = scheme == "NONE"
        yield (
            f"{api}Route{number}",
            {
                "Type": "AWS::ApiGatewayV2::Route",
                "Properties": {
                    "ApiId": api_ref,
                    "RouteKey": f"{method.upper()} {path}",
                    "Target": {"Fn::Sub": f"integrations/${{{api}Integration{number}}}"},
                    "AuthorizationType": "NONE" if open_to_all else "JWT",
                    **({} if open_to_all else {"AuthorizerId": {"Ref": f"{api}Authorizer{scheme}"}}),
                },
            },
        )


def _put_on_import_path(
    function: dict[str, Any], resources: Mapping[str, Any], layers: Mapping[str, Path]
) -> None:
    used = [resources[layer["Ref"]]["Properties"]["LayerName"] for layer in function.pop("Layers", [])]
    if used:
        variables = function.setdefault("Environment", {}).setdefault("Variables", {})
        variables["PYTHONPATH"] = os.pathsep.join(str(layers[name]) for name in used)


def _name_batches(statements: list[dict[str, Any]]) -> None:
    """Grant batches by name: AWS takes the right to send one message for the right to send ten at once."""
    for statement in statements:
        if "sqs:SendMessage" in statement["Action"]:
            statement["Action"] = [*statement["Action"], "sqs:SendMessageBatch"]


def _value(template: Template, node: Any, parameters: Mapping[str, str]) -> Any:
    """Return what a reference to a parameter stands for."""
    if isinstance(node, dict):
        name = node["Ref"]
        return parameters.get(name, template["Parameters"][name]["Default"])
    return node


def _replace(node: Any, old: Any, new: Any) -> Any:
    if node == old:
        return new
    if isinstance(node, dict):
        return {key: _replace(value, old, new) for key, value in node.items()}
    if isinstance(node, list):
        return [_replace(value, old, new) for value in node]
    return node
