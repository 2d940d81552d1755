"""template.yaml held against the code, and against the house rules that no linter knows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local import engine, template
from local.packaging import LAYER_SOURCES
from revela.domain import policy
from revela.usecases import start_training
from revela.usecases.moving import ENDED

SOURCE = template.load(engine.ROOT / "template.yaml")
RESOURCES: dict[str, Any] = SOURCE["Resources"]

# Whoever adds a route without a token adds it here, and says in the template why it is open.
OPEN_ROUTES = {
    "POST /api/webhooks/generation",
    "POST /api/webhooks/training",
    "GET /v1/health",
    "GET /v1/openapi.json",
    "GET /v1/catalog",
}
# Deliveries to a queue must not overtake the function that works on the last one; AWS asks for six times.
VISIBILITY_TIMEOUTS = 6
FOURTEEN_DAYS_S = 14 * 24 * 3600


def of_type(resource_type: str) -> dict[str, Any]:
    return {
        logical_id: resource["Properties"]
        for logical_id, resource in RESOURCES.items()
        if resource["Type"] == resource_type
    }


FUNCTIONS = of_type("AWS::Serverless::Function")
QUEUES = of_type("AWS::SQS::Queue")
TABLES = of_type("AWS::DynamoDB::Table")
ALARMS = of_type("AWS::CloudWatch::Alarm")
# A queue that catches what another one, a stream or a schedule gave up on.
DEAD_LETTERS = {logical_id for logical_id in QUEUES if logical_id.endswith("DeadLetters")}


def pascal_case(folder: str) -> str:
    return "".join(word.capitalize() for word in folder.split("_"))


def folder_of(function: str) -> str:
    handler: str = FUNCTIONS[function]["Handler"]
    return handler.partition(".")[0]


def events_of(function: str, event_type: str) -> Iterator[dict[str, Any]]:
    for event in FUNCTIONS[function].get("Events", {}).values():
        if event["Type"] == event_type:
            yield event["Properties"]


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    for role, properties in of_type("AWS::IAM::Role").items():
        for attached in properties["Policies"]:
            for statement in attached["PolicyDocument"]["Statement"]:
                yield role, statement


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# ---------------------------------------------------------------- functions


def test_every_function_folder_has_its_function_and_every_function_its_folder() -> None:
    folders = {handler.parent.name for handler in (engine.ROOT / "functions").glob("*/handler.py")}
    assert {folder_of(function) for function in FUNCTIONS} == folders


@pytest.mark.parametrize("function", FUNCTIONS)
def test_logical_id_handler_and_folder_agree(function: str) -> None:
    folder = folder_of(function)
    assert function == f"{pascal_case(folder)}Function"
    assert FUNCTIONS[function]["Handler"] == f"{folder}.handler.handler"
    # From Globals, or without SkipBuild, a built template points at the wrong folder.
    assert FUNCTIONS[function]["CodeUri"] == "functions/"
    assert RESOURCES[function]["Metadata"] == {"SkipBuild": True}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_has_a_role_and_a_log_group_of_its_own(function: str) -> None:
    name = function.removesuffix("Function")
    assert FUNCTIONS[function]["Role"] == {"Fn::GetAtt": [f"{name}Role", "Arn"]}
    assert FUNCTIONS[function]["LoggingConfig"] == {"LogGroup": {"Ref": f"{name}Logs"}}
    logs = RESOURCES[f"{name}Logs"]["Properties"]
    assert logs["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert folder_of(function) in logs["LogGroupName"]["Fn::Sub"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_gets_the_core_and_its_libraries(function: str) -> None:
    layers = {layer["Ref"] for layer in FUNCTIONS[function]["Layers"]}
    assert {"CoreLayer", "DependenciesLayer"} <= layers


def test_only_functions_that_decode_images_pay_for_the_libraries() -> None:
    imaging = {f for f in FUNCTIONS if {"Ref": "ImagingLayer"} in FUNCTIONS[f]["Layers"]}
    assert imaging == {"CheckPhotoFunction", "FinishGenerationFunction"}


def test_functions_are_given_only_variables_that_the_code_reads() -> None:
    settings = (engine.ROOT / "layers/core/revela/settings.py").read_text()
    read = set(re.findall(r'\b(?:read|get)\(\s*"([A-Z_]+)"', settings))
    given = set(SOURCE["Globals"]["Function"]["Environment"]["Variables"])
    for function in FUNCTIONS.values():
        given |= set(function["Environment"]["Variables"])
    by_powertools = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}
    by_botocore = {"AWS_ENDPOINT_URL"}
    by_lambda = {"AWS_REGION", "AWS_DEFAULT_REGION"}
    assert given - by_powertools - by_botocore == read - by_lambda


def test_single_functions_are_invoked_with_every_variable_they_are_given() -> None:
    """events/env.json points `sam local invoke` at a system that `make up` keeps running."""
    given = set(SOURCE["Globals"]["Function"]["Environment"]["Variables"])
    for function in FUNCTIONS.values():
        given |= set(function["Environment"]["Variables"])
    set_up = json.loads((engine.ROOT / "events" / "env.json").read_text())["Parameters"]
    assert set(set_up) == given


def test_no_secret_is_handed_over_in_a_variable() -> None:
    for function in FUNCTIONS.values():
        for name, value in function["Environment"]["Variables"].items():
            if "SECRET" in name or "TOKEN" in name:
                assert name.endswith("_SECRET_ID")
                assert RESOURCES[value["Ref"]]["Type"] == "AWS::SecretsManager::Secret"


def test_a_run_of_the_schedule_ends_before_the_next_begins() -> None:
    (schedule,) = events_of("ReconcileJobsFunction", "Schedule")
    assert schedule["Schedule"] == "rate(1 minute)"
    assert FUNCTIONS["ReconcileJobsFunction"]["Timeout"] < 60


# ---------------------------------------------------------------- layers


def test_the_layers_are_those_that_the_makefile_and_the_local_engine_build() -> None:
    layers = of_type("AWS::Serverless::LayerVersion")
    makefile = (engine.ROOT / "layers/Makefile").read_text()
    assert set(layers) == set(LAYER_SOURCES) == set(re.findall(r"^build-(\w+):", makefile, re.MULTILINE))
    for name, properties in layers.items():
        assert properties["ContentUri"] == "layers/"
        assert RESOURCES[name]["Metadata"] == {"BuildMethod": "makefile", "BuildArchitecture": "arm64"}


def test_layers_are_built_for_the_python_and_the_processor_that_functions_run_on() -> None:
    function = SOURCE["Globals"]["Function"]
    makefile = (engine.ROOT / "layers/Makefile").read_text()
    (version,) = re.findall(r"^LAMBDA_PYTHON := (\S+)", makefile, re.MULTILINE)
    (platform,) = re.findall(r"^LAMBDA_PLATFORM := (\S+)", makefile, re.MULTILINE)
    assert function["Runtime"] == f"python{version}"
    assert function["Architectures"] == ["arm64"]
    assert platform.startswith("aarch64-")
    for layer in of_type("AWS::Serverless::LayerVersion").values():
        assert layer["CompatibleRuntimes"] == [function["Runtime"]]
        assert layer["CompatibleArchitectures"] == function["Architectures"]


def test_the_layer_keeps_the_description_of_every_service_that_the_code_calls() -> None:
    makefile = (engine.ROOT / "layers/Makefile").read_text()
    (kept,) = re.findall(r"^SERVICES := (.+)$", makefile, re.MULTILINE)
    bootstrap = (engine.ROOT / "layers/core/revela/bootstrap/wiring.py").read_text()
    called = set(re.findall(r'\bclient\("(\w+)"\)', bootstrap)) | {"dynamodb"}  # PynamoDB's
    assert set(kept.split()) == called


# ---------------------------------------------------------------- storage


@pytest.mark.parametrize("table", TABLES)
def test_tables_are_on_demand_encrypted_recoverable_and_outlive_their_stack(table: str) -> None:
    properties = TABLES[table]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["DeletionProtectionEnabled"] == {"Fn::If": ["KeepsData", True, False]}


DATA_TYPES = {
    "AWS::DynamoDB::Table",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
    "AWS::Cognito::UserPool",
}


@pytest.mark.parametrize(
    "resource", [logical_id for logical_id, resource in RESOURCES.items() if resource["Type"] in DATA_TYPES]
)
def test_data_goes_with_its_stack_only_where_the_stack_was_told_so(resource: str) -> None:
    policy = {"Fn::If": ["KeepsData", "Retain", "Delete"]}
    assert RESOURCES[resource]["DeletionPolicy"] == policy
    assert RESOURCES[resource]["UpdateReplacePolicy"] == policy


def test_models_have_the_shape_of_generations() -> None:
    assert TABLES["ModelsTable"] == TABLES["GenerationsTable"]


def test_what_is_due_is_found_without_a_scan() -> None:
    indexes = {index["IndexName"]: index for index in TABLES["GenerationsTable"]["GlobalSecondaryIndexes"]}
    assert [key["AttributeName"] for key in indexes["due"]["KeySchema"]] == ["due_shard", "due_at"]
    assert [key["AttributeName"] for key in indexes["by_id"]["KeySchema"]] == ["id"]
    assert {index["Projection"]["ProjectionType"] for index in indexes.values()} == {"KEYS_ONLY"}


def test_the_bucket_is_private_and_encrypted_and_forgets_what_passes_through() -> None:
    bucket = RESOURCES["Bucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert "ServerSideEncryptionConfiguration" in bucket["BucketEncryption"]
    expiring: dict[str, Any] = {
        rule["Prefix"]: rule["ExpirationInDays"]
        for rule in bucket["LifecycleConfiguration"]["Rules"]
        if "Prefix" in rule
    }
    assert expiring == {
        "quarantine/": {"Fn::If": ["KeepsBlocked", {"Ref": "BlockedRetentionDays"}, 2]},
        "incoming/": 1,
        "photos/": {"Ref": "PhotoRetentionDays"},
    }
    unfinished = [
        r for r in bucket["LifecycleConfiguration"]["Rules"] if "AbortIncompleteMultipartUpload" in r
    ]
    assert [rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] for rule in unfinished] == [1]


def test_the_bucket_is_reached_over_tls_only() -> None:
    (statement,) = RESOURCES["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_rows_of_photos_say_what_the_bucket_does() -> None:
    variables = FUNCTIONS["CheckPhotoFunction"]["Environment"]["Variables"]
    assert variables["PHOTO_RETENTION_DAYS"] == {"Ref": "PhotoRetentionDays"}


def test_the_rows_of_blocked_images_say_what_the_bucket_does() -> None:
    variables = FUNCTIONS["FinishGenerationFunction"]["Environment"]["Variables"]
    assert variables["BLOCKED_RETENTION_DAYS"] == {"Ref": "BlockedRetentionDays"}


def test_nothing_waits_for_its_judge_longer_than_the_bucket_keeps_it() -> None:
    patience = SOURCE["Parameters"]["JudgePatienceMinutes"]
    assert int(patience["Default"]) <= int(patience["MaxValue"]) <= 24 * 60


def test_what_can_be_seen_is_written_by_the_function_that_judges_alone() -> None:
    """By construction: no other function could put there what nobody judged."""
    writers = {
        role
        for role, statement in statements()
        if "s3:PutObject" in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
        if "users/" in str(resource) and "/models/" not in str(resource)
    }
    assert writers == {"FinishGenerationRole"}


def test_nobody_can_sign_a_url_of_what_is_in_quarantine() -> None:
    """A URL carries the rights of the role that signed it: only the function that judges may read there."""
    readers = {
        role
        for role, statement in statements()
        if "s3:GetObject" in as_list(statement["Action"]) and "quarantine" in str(statement["Resource"])
    }
    assert readers == {"FinishGenerationRole"}


def test_images_are_judged_unless_somebody_says_otherwise() -> None:
    judge = SOURCE["Parameters"]["ImageJudge"]
    assert judge["Default"] == "rekognition"
    assert engine.LOCAL_JUDGE == "replicate"


def test_uploads_are_told_of_by_the_buckets_of_this_stack_alone() -> None:
    (told,) = RESOURCES["Bucket"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    assert told["Queue"] == {"Fn::GetAtt": ["PhotoQueue", "Arn"]}
    assert told["Event"] == "s3:ObjectCreated:*"
    assert told["Filter"] == {"S3Key": {"Rules": [{"Name": "prefix", "Value": "incoming/"}]}}
    # S3 tries the queue while the bucket is made: the policy must be there, and cannot ask for its name.
    assert RESOURCES["Bucket"]["DependsOn"] == "PhotoQueuePolicy"
    (statement,) = RESOURCES["PhotoQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnLike": {"aws:SourceArn": {"Fn::Sub": "arn:${AWS::Partition}:s3:::${AWS::StackName}-*"}},
    }


# ---------------------------------------------------------------- queues


@pytest.mark.parametrize("queue", QUEUES)
def test_every_queue_is_encrypted(queue: str) -> None:
    assert QUEUES[queue]["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize("queue", sorted(QUEUES.keys() - DEAD_LETTERS))
def test_every_queue_gives_up_into_its_own_dead_letters(queue: str) -> None:
    assert QUEUES[queue]["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [f"{queue}DeadLetters", "Arn"]},
        "maxReceiveCount": 5,
    }


@pytest.mark.parametrize("queue", sorted(DEAD_LETTERS))
def test_dead_letters_are_kept_as_long_as_possible_and_wake_somebody(queue: str) -> None:
    assert QUEUES[queue]["MessageRetentionPeriod"] == FOURTEEN_DAYS_S
    alarm = ALARMS[f"{queue}Alarm"]
    assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}]


def test_every_queue_with_work_has_one_function_that_takes_it() -> None:
    sources = [
        event["Queue"]["Fn::GetAtt"][0] for function in FUNCTIONS for event in events_of(function, "SQS")
    ]
    assert sorted(sources) == sorted(QUEUES.keys() - DEAD_LETTERS)


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if any(events_of(f, "SQS"))])
def test_queue_workers_report_partial_failures_and_are_not_overtaken(function: str) -> None:
    for event in events_of(function, "SQS"):
        assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        queue = QUEUES[event["Queue"]["Fn::GetAtt"][0]]
        assert queue["VisibilityTimeout"] >= VISIBILITY_TIMEOUTS * FUNCTIONS[function]["Timeout"]


def test_the_worker_that_calls_replicate_is_bounded() -> None:
    (event,) = events_of("StartGenerationFunction", "SQS")
    assert event["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "GenerationConcurrency"}}


@pytest.mark.parametrize("function", ["CheckPhotoFunction", "StartTrainingFunction"])
def test_a_burst_of_users_does_not_become_a_burst_at_who_answers_for_the_worker(function: str) -> None:
    (event,) = events_of(function, "SQS")
    assert 2 <= event["ScalingConfig"]["MaximumConcurrency"] <= 10


@pytest.mark.parametrize(
    ("function", "lease"),
    [
        ("StartGenerationFunction", policy.START_LEASE),
        ("FinishGenerationFunction", policy.SAVING_LEASE),
        ("StartTrainingFunction", policy.TRAINING_START_LEASE),
        ("FinishTrainingFunction", policy.TRAINING_SAVING_LEASE),
    ],
)
def test_a_lease_outlives_the_function_that_holds_it_and_its_longest_call(
    function: str, lease: timedelta
) -> None:
    longest_call = timedelta(seconds=30)
    assert lease > timedelta(seconds=FUNCTIONS[function]["Timeout"]) + longest_call


@pytest.mark.parametrize(
    "function", ["FinishGenerationFunction", "StartTrainingFunction", "FinishTrainingFunction"]
)
def test_who_may_need_all_of_the_functions_time_has_it_to_itself(function: str) -> None:
    (event,) = events_of(function, "SQS")
    assert event["BatchSize"] == 1


def test_a_training_is_begun_with_enough_of_the_functions_time() -> None:
    begun_with = start_training.ONE_TRAINING_NEEDS
    assert timedelta(seconds=FUNCTIONS["StartTrainingFunction"]["Timeout"]) > begun_with


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if any(events_of(f, "DynamoDB"))])
def test_streams_report_partial_failures_bisect_and_give_up_into_dead_letters(function: str) -> None:
    for event in events_of(function, "DynamoDB"):
        assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert event["BisectBatchOnFunctionError"] is True
        assert event["MaximumRetryAttempts"] > 0
        assert event["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0] in DEAD_LETTERS


def test_the_stream_delivers_generations_and_nothing_else_of_the_table() -> None:
    (event,) = events_of("PublishChangesFunction", "DynamoDB")
    (pattern,) = event["FilterCriteria"]["Filters"]
    wanted = json.loads(pattern["Pattern"])
    assert wanted["dynamodb"]["Keys"]["id"]["S"] == [{"prefix": "gen_"}]


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if any(events_of(f, "Schedule"))])
def test_schedules_give_up_into_dead_letters(function: str) -> None:
    destination = FUNCTIONS[function]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination["Fn::GetAtt"][0] in DEAD_LETTERS


# ---------------------------------------------------------------- API


@pytest.fixture(scope="module")
def deployed() -> template.Template:
    """The template after the SAM transform, as the local engine deploys it."""
    source = template.load(engine.ROOT / "template.yaml")
    code = dict.fromkeys([*FUNCTIONS, *LAYER_SOURCES], "archive.zip")
    parameters = {"JwtIssuer": "https://issuer.example"}
    translated = template.translate(source, code=code, bucket="artifacts", parameters=parameters)
    layers = {name: Path("/unpacked") / name for name in LAYER_SOURCES}
    return template.localize(translated, api_url="http://api.example", layers=layers, parameters=parameters)


def test_every_route_asks_for_a_token_or_stands_on_the_short_list(deployed: template.Template) -> None:
    routes = template.routes(deployed)
    assert {route.key for route in routes if not route.authorized} == OPEN_ROUTES
    assert any(route.authorized for route in routes)


def test_every_published_operation_is_open_or_behind_the_authorizer_as_it_says(
    deployed: template.Template,
) -> None:
    """The API answers whatever lies below /v1/; what is open has a route of its own."""
    described: dict[str, bool] = {
        f"{method.upper()} {path}": operation.get("security") == []
        for path, operations in json.loads((engine.ROOT / "docs/openapi.json").read_text())["paths"].items()
        for method, operation in operations.items()
        if path.startswith("/v1/")
    }
    routes = template.routes(deployed)
    open_ = {route.key for route in routes if not route.authorized and " /v1/" in route.key}
    assert open_ == {operation for operation, public in described.items() if public}
    closed = {route.key for route in routes if route.authorized}
    assert closed == {f"{method} /v1/{{proxy+}}" for method in ("GET", "POST", "PATCH", "DELETE")}
    asked = {operation.partition(" ")[0] for operation, public in described.items() if not public}
    assert asked <= {key.partition(" ")[0] for key in closed}


@pytest.mark.parametrize("kind", ["generation", "training"])
def test_an_open_webhook_is_throttled_tighter_than_the_rest(kind: str) -> None:
    api = RESOURCES["HttpApi"]["Properties"]
    webhook = api["RouteSettings"][f"POST /api/webhooks/{kind}"]
    assert webhook["ThrottlingRateLimit"] < api["DefaultRouteSettings"]["ThrottlingRateLimit"]
    assert webhook["ThrottlingBurstLimit"] < api["DefaultRouteSettings"]["ThrottlingBurstLimit"]


def test_access_logs_are_json_without_tokens_or_query_strings() -> None:
    settings = RESOURCES["HttpApi"]["Properties"]["AccessLogSettings"]
    fields = json.loads(settings["Format"])
    assert fields["path"] == "$context.path"
    assert not [value for value in fields.values() if "query" in value.lower() or "header" in value.lower()]


def test_browsers_may_read_the_headers_that_the_api_speaks_with(deployed: template.Template) -> None:
    _, rules, _ = deployed["Resources"]["HttpApi"]["Properties"]["CorsConfiguration"]["Fn::If"]
    assert rules["allowOrigins"] == {"Fn::Split": [",", "http://localhost:3000"]}
    assert set(rules["exposeHeaders"]) == {
        "Location",
        "ETag",
        "Retry-After",
        "Idempotency-Replayed",
        "RateLimit-Limit",
        "RateLimit-Remaining",
        "RateLimit-Reset",
    }


# ---------------------------------------------------------------- permissions


def test_no_role_has_managed_policies_or_is_shared() -> None:
    roles = of_type("AWS::IAM::Role")
    assert set(roles) == {f"{function.removesuffix('Function')}Role" for function in FUNCTIONS}
    for properties in roles.values():
        assert "ManagedPolicyArns" not in properties


def test_no_action_is_a_wildcard() -> None:
    for role, statement in statements():
        for action in as_list(statement["Action"]):
            assert "*" not in action, f"{role}: {action}"


PREFIXES = ("users/*/generations/*", "users/*/models/*", "quarantine/*", "incoming/*", "photos/*")
ALLOWED_PREFIXES = {f"${{Bucket.Arn}}/{prefix}" for prefix in PREFIXES}
# Actions on nothing that could be named.
WITHOUT_RESOURCES = "rekognition:"


def test_resources_are_exact_but_for_prefixes_of_the_bucket() -> None:
    for role, statement in statements():
        if all(action.startswith(WITHOUT_RESOURCES) for action in as_list(statement["Action"])):
            continue
        for resource in as_list(statement["Resource"]):
            text = json.dumps(resource)
            if "*" in text:
                assert resource["Fn::Sub"] in ALLOWED_PREFIXES, f"{role}: {text}"
            assert isinstance(resource, dict), f"{role}: {text} names a thing outside this stack"


def test_the_bucket_is_listed_below_known_prefixes_only() -> None:
    listing = [statement for _, statement in statements() if "s3:ListBucket" in as_list(statement["Action"])]
    assert listing
    for statement in listing:
        assert set(statement["Condition"]["StringLike"]["s3:prefix"]) <= set(PREFIXES)


def test_clients_write_where_uploads_come_in_and_nowhere_else() -> None:
    """A form for an upload carries the rights of the role that signs it: clean copies are out of reach."""
    written = [
        s["Resource"] for role, s in statements() if role == "ApiRole" and "s3:PutObject" in s["Action"]
    ]
    assert written == [{"Fn::Sub": "${Bucket.Arn}/incoming/*"}]


def test_the_ledger_can_only_grow() -> None:
    granted = {
        action
        for _, statement in statements()
        for action in as_list(statement["Action"])
        if {"Fn::GetAtt": ["LedgerTable", "Arn"]} in as_list(statement["Resource"])
    }
    assert granted == {"dynamodb:PutItem", "dynamodb:Query"}


def test_nobody_scans_a_table() -> None:
    assert not [s for _, s in statements() if "dynamodb:Scan" in as_list(s["Action"])]


def test_the_open_door_leads_to_its_queues_and_nowhere_else() -> None:
    rights = {
        (action, json.dumps(resource))
        for role, statement in statements()
        if role == "ReplicateWebhookRole"
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
        if not action.startswith("logs:")
    }
    assert rights == {
        ("sqs:SendMessage", json.dumps({"Fn::GetAtt": ["GenerationWebhookQueue", "Arn"]})),
        ("sqs:SendMessage", json.dumps({"Fn::GetAtt": ["TrainingWebhookQueue", "Arn"]})),
        ("secretsmanager:GetSecretValue", json.dumps({"Fn::GetAtt": ["WebhookSecret", "Id"]})),
    }


# ---------------------------------------------------------------- alarms and outputs


@pytest.mark.parametrize("alarm", ALARMS)
def test_every_alarm_tells_somebody_what_is_wrong(alarm: str) -> None:
    assert ALARMS[alarm]["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    assert ALARMS[alarm]["AlarmDescription"].endswith(".")
    assert ALARMS[alarm]["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_has_an_alarm_on_its_error_rate(function: str) -> None:
    alarm = ALARMS[f"{function.removesuffix('Function')}ErrorRateAlarm"]
    dimensions = [
        metric["MetricStat"]["Metric"]["Dimensions"] for metric in alarm["Metrics"] if "MetricStat" in metric
    ]
    assert dimensions == 2 * [[{"Name": "FunctionName", "Value": {"Ref": function}}]]


def test_alarms_watch_metrics_that_the_code_emits() -> None:
    watched = set(
        re.findall(r"Namespace: Revela\s+MetricName: (\w+)", (engine.ROOT / "template.yaml").read_text())
    )
    code = "".join(path.read_text() for path in _sources())
    emitted = set(re.findall(r'count\(\s*"(\w+)"', code)) | set(ENDED.values())
    assert watched
    assert watched <= emitted


def _sources() -> Iterator[Path]:
    yield from (engine.ROOT / "layers/core/revela").rglob("*.py")


def test_a_frontend_finds_what_it_needs_in_the_outputs() -> None:
    needed = {"Region", "ApiUrl", "UserPoolId", "UserPoolClientId", "BucketName", "EventBusArn"}
    assert needed <= set(SOURCE["Outputs"])
    outputs = json.dumps(SOURCE["Outputs"])
    for resource in [*TABLES, *(QUEUES.keys() - DEAD_LETTERS)]:
        assert f'"Ref": "{resource}"' in outputs
