"""An OpenID Connect issuer of one's own: publishes its key, signs tokens for whoever asks.

The API's authorizer verifies these tokens as it would Cognito's: signature, issuer, audience, expiry.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

AUDIENCE = "revela"
ADMIN_GROUP = "admin"
KEY_FILE = "issuer.pem"
KEY_ID = "local"
TOKEN_LIFETIME_S = 24 * 3600


def sign_token(state_dir: Path, issuer_url: str, subject: str, *, groups: Sequence[str] = ()) -> str:
    """Return a JWT for `subject`, shaped like Cognito's id token."""
    now_s = int(time.time())
    claims: dict[str, Any] = {
        "iss": issuer_url,
        "aud": AUDIENCE,
        "sub": subject,
        "iat": now_s,
        "exp": now_s + TOKEN_LIFETIME_S,
        "token_use": "id",
    }
    if groups:
        claims["cognito:groups"] = list(groups)
    return jwt.encode(claims, _key(state_dir), algorithm="RS256", headers={"kid": KEY_ID})


class Issuer:
    """Serves the discovery document and the key set until closed."""

    def __init__(self, state_dir: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        public_key = RSAAlgorithm.to_jwk(_key(state_dir).public_key(), as_dict=True)
        documents: dict[str, dict[str, Any]] = {
            "/.well-known/openid-configuration": {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/.well-known/jwks.json",
                "id_token_signing_alg_values_supported": ["RS256"],
            },
            "/.well-known/jwks.json": {"keys": [{**public_key, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]},
        }
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _serve(documents))
        threading.Thread(target=self._server.serve_forever, name="issuer", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _serve(documents: dict[str, dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = documents.get(self.path)
            body = json.dumps(document if document is not None else {"error": "not found"}).encode()
            self.send_response(404 if document is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing: who asked for a public key is of no interest."""

    return Handler


def _key(state_dir: Path) -> rsa.RSAPrivateKey:
    """Return the issuer's key, made at its first use, so that tokens outlive a restart."""
    path = state_dir / KEY_FILE
    if path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return key
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)
    return key
