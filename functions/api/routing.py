"""A router whose requests are typed as what an HTTP API sends."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import api_gateway
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2


class Router(api_gateway.Router):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Powertools leaves it without types

    @property
    def event(self) -> APIGatewayProxyEventV2:
        """The request being answered."""
        event = self.current_event
        assert isinstance(event, APIGatewayProxyEventV2)
        return event
