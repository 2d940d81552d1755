"""The whole system on this machine: embedded AWS, Replicate stand-in, token issuer, and the stack on them.

Every server is bound to 127.0.0.1 and ends with the process that runs the engine, at the latest.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local import aws, packaging, processes, stack, state, template
from local.identity import AUDIENCE, Issuer
from local.provider import Provider
from local.state import State

ROOT = Path(__file__).resolve().parent.parent
STATE_DIR = ROOT / ".local"
MINISTACK_PYTHON = ROOT / ".local" / "venvs" / "ministack" / "bin" / "python"
# The settings that people know by the names of their variables, beside the provider's.
PARAMETER_OF = {
    "AI_PROVIDER": "AIProvider",
    "BLOCKED_RETENTION_DAYS": "BlockedRetentionDays",
    "COPY_WEIGHTS": "CopyWeights",
    "JUDGE_PATIENCE_MINUTES": "JudgePatienceMinutes",
    "LOG_LEVEL": "LogLevel",
    "PHOTO_RETENTION_DAYS": "PhotoRetentionDays",
    "REPLICATE_CREATES_PER_MINUTE": "ReplicateCreatesPerMinute",
    "REPLICATE_READS_PER_MINUTE": "ReplicateReadsPerMinute",
    "STRIKES_PER_DAY": "StrikesPerDay",
}
# There is no Rekognition here, and nothing goes unjudged.
LOCAL_JUDGE = "replicate"
# What a server may know of this shell. Credentials of a real AWS account are not among it.
INHERITED = ("PATH", "HOME", "LANG", "HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Options:
    """Ports are chosen when None. `parameters` are template.yaml's; they win over what the engine sets."""

    state_dir: Path = STATE_DIR
    port: int | None = None
    replicate_port: int | None = None
    issuer_port: int | None = None
    time_scale: float = 1.0
    parameters: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def running(
    options: Options, report: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[State, list[processes.Server]]]:
    """Run the engine as long as the context lasts; yield its state and servers.

    Raises:
        state.AlreadyRunning, processes.ServerFailed, packaging.BuildFailed, stack.DeployFailed
    """
    if (judge := options.parameters.get("ImageJudge", LOCAL_JUDGE)) != LOCAL_JUDGE:
        raise stack.DeployFailed(f"images are judged by {LOCAL_JUDGE} here; ImageJudge={judge} is for AWS")
    directory = options.state_dir.resolve()
    with ExitStack() as cleanup:
        cleanup.enter_context(state.hold(directory))
        _prepare(directory)
        servers: list[processes.Server] = []
        cleanup.callback(_clean, directory)
        cleanup.callback(processes.stop, servers)

        report("building layers")
        archives = packaging.build(ROOT, STATE_DIR / "build", MINISTACK_PYTHON)

        report("starting servers")
        issuer = Issuer(directory, processes.choose_port(options.issuer_port))
        cleanup.callback(issuer.close)
        port = processes.choose_port(options.port)
        endpoint_url = f"http://127.0.0.1:{port}"
        servers.append(_start_ministack(directory, port))
        provider = Provider.of_environment(os.environ)
        if provider is None:
            provider = Provider.stand_in(processes.choose_port(options.replicate_port))
            servers.append(_start_stand_in(directory, provider, options.time_scale))
            processes.wait_until_answers(servers[-1], f"{provider.origin}/_health")
        layers = packaging.unpack(archives.layers, directory / "tmp" / "layers")
        processes.wait_until_answers(servers[0], f"{endpoint_url}/_ministack/ready")

        report("deploying template.yaml")
        api_host = f"{template.API_ID}.execute-api.localhost:{port}"
        deployed = stack.deploy(
            endpoint_url,
            template_path=ROOT / "template.yaml",
            functions=archives.functions,
            layers=layers,
            api_url=f"http://{api_host}",
            parameters=_parameters(provider, issuer.url, endpoint_url) | dict(options.parameters),
        )
        current = _state(deployed, provider, endpoint_url, api_host, issuer.url, directory)
        _put_secrets(current, provider)
        state.write(directory, current)
        yield current, servers


def _prepare(directory: Path) -> None:
    _clean(directory)
    for folder in ("logs", "tmp"):
        (directory / folder).mkdir(exist_ok=True)


def _clean(directory: Path) -> None:
    state.forget(directory)
    shutil.rmtree(directory / "tmp", ignore_errors=True)


def _start_ministack(directory: Path, port: int) -> processes.Server:
    return processes.start(
        "ministack",
        # -P: what is beside the script is this package's, not ministack's.
        [str(MINISTACK_PYTHON), "-P", str(Path(__file__).with_name("embedded_aws.py"))],
        log=_new_log(directory, "ministack"),
        cwd=directory,
        env={
            **_inherited(),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": template.REGION,
            # Functions act with their role's rights, and only those: the template's policies are tested here.
            "AUTH": "true",
            # Nothing but HTTP, and no look at the containers of this machine.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": "unix:///nonexistent",
            # Unpacked code lives and dies with this engine; its bytecode came with it.
            "TMPDIR": str(directory / "tmp"),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )


def _start_stand_in(directory: Path, provider: Provider, time_scale: float) -> processes.Server:
    port = provider.origin.rpartition(":")[2]
    return processes.start(
        "replicate",
        [
            *(sys.executable, "-m", "local.replicate"),
            *("--port", port),
            *("--time-scale", str(time_scale)),
            *("--token", provider.token),
            *("--webhook-secret", str(provider.webhook_secret)),
        ],
        log=_new_log(directory, "replicate"),
        cwd=ROOT,
        env=_inherited(),
    )


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


def _new_log(directory: Path, name: str) -> Path:
    log = directory / "logs" / f"{name}.log"
    log.write_bytes(b"")
    return log


def _parameters(provider: Provider, issuer_url: str, endpoint_url: str) -> dict[str, str]:
    return {
        "AwsEndpointUrl": endpoint_url,
        "KeepData": "false",
        "FaceInspector": "opencv",
        "CelebrityGate": "off",
        "ImageJudge": LOCAL_JUDGE,
        "JwtIssuer": issuer_url,
        "JwtAudience": AUDIENCE,
        "ReplicateApiBaseUrl": provider.api_url,
        "ReplicateOutputOrigins": provider.output_origins,
        "ReplicateWebhookUrl": provider.webhook_url,
        **{
            parameter: os.environ[variable]
            for variable, parameter in PARAMETER_OF.items()
            if variable in os.environ
        },
    }


def _state(
    deployed: stack.Deployed,
    provider: Provider,
    endpoint_url: str,
    api_host: str,
    issuer_url: str,
    directory: Path,
) -> State:
    physical = deployed.physical
    return State(
        api_url=deployed.outputs["ApiUrl"],
        api_host=api_host,
        replicate_url=provider.api_url,
        aws_endpoint_url=endpoint_url,
        region=template.REGION,
        bucket=physical["Bucket"],
        tables={
            name.removesuffix("Table").lower(): table
            for name, table in deployed.of_type("AWS::DynamoDB::Table").items()
        },
        queues=deployed.of_type("AWS::SQS::Queue"),
        functions={folder: physical[logical_id] for logical_id, folder in deployed.folders.items()},
        webhook_secret=provider.webhook_secret,
        replicate_token=provider.token if provider.is_stand_in else None,
        event_bus=physical["Events"],
        secrets=deployed.of_type("AWS::SecretsManager::Secret"),
        stack=stack.STACK,
        issuer_url=issuer_url,
        clock_offset_s=0,
        logs=str(directory / "logs"),
        pid=os.getpid(),
    )


def _put_secrets(current: State, provider: Provider) -> None:
    """Put the token where an operator would, and the webhook secret where the first reconciliation would."""
    secrets_manager = aws.client("secretsmanager", current.aws_endpoint_url)
    secrets_manager.put_secret_value(
        SecretId=current.secrets["ReplicateTokenSecret"], SecretString=provider.token
    )
    if provider.webhook_secret:
        secret_id = current.secrets["WebhookSecret"]
        value = json.loads(secrets_manager.get_secret_value(SecretId=secret_id)["SecretString"])
        value["replicate"] = [provider.webhook_secret]
        secrets_manager.put_secret_value(SecretId=secret_id, SecretString=json.dumps(value))
