"""What the local engine rewrites, on a template small enough to see through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local import template

SOURCE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Workers: {Type: Number, Default: 5}
Resources:
  HttpApi:
    Type: AWS::Serverless::HttpApi
    Properties:
      CorsConfiguration: {AllowOrigins: [http://localhost:3000]}
      Auth:
        DefaultAuthorizer: Jwt
        Authorizers:
          Jwt:
            IdentitySource: $request.header.Authorization
            JwtConfiguration: {issuer: https://issuer.example, audience: [revela]}
  ApiFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/
      Handler: api.handler.handler
      Runtime: python3.13
      Role: !GetAtt Role.Arn
      Layers: [!Ref LibrariesLayer, !Ref CoreLayer]
      Environment:
        Variables: {SELF: !Sub "https://${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}"}
      Events:
        Closed: {Type: HttpApi, Properties: {ApiId: !Ref HttpApi, Method: GET, Path: "/v1/things/{id}"}}
        Open:
          Type: HttpApi
          Properties: {ApiId: !Ref HttpApi, Method: POST, Path: /open, Auth: {Authorizer: NONE}}
        Queue:
          Type: SQS
          Properties: {Queue: !GetAtt Queue.Arn, ScalingConfig: {MaximumConcurrency: !Ref Workers}}
  LibrariesLayer: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layers/}}
  CoreLayer: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layers/}}
  Queue: {Type: AWS::SQS::Queue}
  Table: {Type: AWS::DynamoDB::Table, DeletionPolicy: Retain, UpdateReplacePolicy: Retain, Properties: {}}
  Alarm: {Type: AWS::CloudWatch::Alarm, Properties: {}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      Policies:
        - PolicyName: p
          PolicyDocument:
            Statement: [{Effect: Allow, Action: [sqs:SendMessage], Resource: !GetAtt Queue.Arn}]
"""

LAYERS = {"CoreLayer": Path("/unpacked/core"), "LibrariesLayer": Path("/unpacked/libraries")}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.yaml"
    path.write_text(SOURCE)
    return path


def deployable(source: Path, parameters: dict[str, str]) -> dict[str, Any]:
    translated = template.translate(
        template.load(source),
        code=dict.fromkeys(("ApiFunction", *LAYERS), "code.zip"),
        bucket="artifacts",
        parameters=parameters,
    )
    resources: dict[str, Any] = template.localize(
        translated, api_url="http://api.local", layers=LAYERS, parameters=parameters
    )["Resources"]
    return resources


@pytest.fixture(scope="module")
def resources(source: Path) -> dict[str, Any]:
    return deployable(source, {})


def test_layers_are_on_the_import_path_in_their_order(resources: dict[str, Any]) -> None:
    function = resources["ApiFunction"]["Properties"]
    assert function["Environment"]["Variables"]["PYTHONPATH"] == "/unpacked/libraries:/unpacked/core"
    assert "Layers" not in function
    assert not [r for r in resources.values() if r["Type"] == "AWS::Lambda::LayerVersion"]


def test_code_comes_from_the_bucket(resources: dict[str, Any]) -> None:
    assert resources["ApiFunction"]["Properties"]["Code"] == {"S3Bucket": "artifacts", "S3Key": "code.zip"}


def test_the_body_becomes_routes_that_keep_their_authorizer(resources: dict[str, Any]) -> None:
    assert "Body" not in resources["HttpApi"]["Properties"]
    routes = {route.key: route.authorized for route in template.routes({"Resources": resources})}
    assert routes == {"GET /v1/things/{id}": True, "POST /open": False}
    authorizer = resources["HttpApiAuthorizerJwt"]["Properties"]
    assert authorizer["JwtConfiguration"] == {"Issuer": "https://issuer.example", "Audience": ["revela"]}
    closed = [
        r for r in resources.values() if r.get("Properties", {}).get("RouteKey") == "GET /v1/things/{id}"
    ]
    assert closed[0]["Properties"]["AuthorizerId"] == {"Ref": "HttpApiAuthorizerJwt"}


def test_each_route_leads_to_its_function(resources: dict[str, Any]) -> None:
    integrations = [r for r in resources.values() if r["Type"] == "AWS::ApiGatewayV2::Integration"]
    assert len(integrations) == 2
    assert all("${ApiFunction.Arn}" in i["Properties"]["IntegrationUri"]["Fn::Sub"] for i in integrations)


def test_the_apis_public_address_becomes_the_local_one(resources: dict[str, Any]) -> None:
    variables = resources["ApiFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["SELF"] == "http://api.local"


def test_what_has_no_meaning_here_is_left_out(resources: dict[str, Any]) -> None:
    assert "Alarm" not in resources
    assert set(resources["Table"]) == {"Type", "Properties"}


@pytest.mark.parametrize(("parameters", "expected"), [({}, 5), ({"Workers": "7"}, 7)])
def test_a_number_given_by_a_parameter_is_a_number(
    parameters: dict[str, str], expected: int, source: Path
) -> None:
    mapping = deployable(source, parameters)["ApiFunctionQueue"]["Properties"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": expected}


def test_whoever_may_send_may_send_in_batches(resources: dict[str, Any]) -> None:
    (policy,) = resources["Role"]["Properties"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["sqs:SendMessage", "sqs:SendMessageBatch"]
