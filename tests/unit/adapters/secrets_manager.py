"""A Secrets Manager of one secret that counts how often it is asked, and can be out of order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError, EndpointConnectionError

from revela.adapters.secrets import CachedSecret

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

SECRET_ID = "arn:aws:secretsmanager:us-east-1:123456789012:secret:revela"


class SecretsManager:
    """`seconds` is the clock of who reads from it."""

    def __init__(self, text: str | None) -> None:
        self.text = text
        self.reads = 0
        self.writes = 0
        self.seconds = 1_000.0
        self.out_of_order = False
        self.read_only = False

    def secret(self) -> CachedSecret:
        return CachedSecret(cast("SecretsManagerClient", self), SECRET_ID, monotonic=lambda: self.seconds)

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803 - botocore's names
        assert SecretId == SECRET_ID
        self.reads += 1
        if self.out_of_order:
            raise EndpointConnectionError(endpoint_url="https://secretsmanager.test")
        if self.text is None:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetSecretValue")
        return {"SecretString": self.text}

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> None:  # noqa: N803 - botocore's names
        assert SecretId == SECRET_ID
        if self.read_only:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "PutSecretValue")
        self.writes += 1
        self.text = SecretString
