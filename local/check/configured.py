"""Which Replicate is to be checked: the one that the environment names, else the running engine's."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from local import aws, replicate_operator, state
from local.commands import Refused
from local.provider import NO_WEBHOOKS, Provider
from local.replicate.loopback import is_loopback

# The function that is told everything about the provider but where outputs come from.
STARTER, FINISHER = "start_generation", "finish_generation"


@dataclass(frozen=True)
class Configured:
    """`webhook_url` None: there are to be no webhooks."""

    api_url: str
    token: str = field(repr=False)
    webhook_url: str | None
    output_origins: tuple[str, ...]

    @property
    def is_on_this_machine(self) -> bool:
        """Whether the server is a stand-in, which calls this machine's addresses, and bills nothing."""
        return is_loopback(urlsplit(self.api_url).hostname or "")


def configured(state_dir: Path) -> Configured:
    """Raises NotRunning where neither the environment nor an engine names a Replicate, and Refused."""
    named = Provider.of_environment(os.environ)
    if named is not None:
        return _configured(named.api_url, named.token, named.webhook_url, named.output_origins)
    server = replicate_operator.server_of(state_dir)
    current = state.read(state_dir)
    lambdas = aws.client("lambda", current.aws_endpoint_url)
    told: dict[str, str] = {}
    for folder in (STARTER, FINISHER):
        function = lambdas.get_function_configuration(FunctionName=current.functions[folder])
        told |= function["Environment"]["Variables"]
    return _configured(
        server.api_url, server.token, told["REPLICATE_WEBHOOK_URL"], told["REPLICATE_OUTPUT_ORIGINS"]
    )


def _configured(api_url: str, token: str, webhook_url: str, output_origins: str) -> Configured:
    if not api_url.startswith(("https://", "http://")):
        raise Refused("REPLICATE_API_BASE_URL must be an http or https URL")
    return Configured(
        api_url=api_url,
        token=token,
        webhook_url=None if webhook_url == NO_WEBHOOKS else webhook_url,
        output_origins=tuple(origin.strip() for origin in output_origins.split(",") if origin.strip()),
    )
