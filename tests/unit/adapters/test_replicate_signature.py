"""Replicate's webhook signature, against its published test vector and against forgers."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revela.adapters.replicate.signature import is_signed, signature

# Published with the official SDKs.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIMESTAMP = "1614265330"
BODY = b'{"test": 2432232314}'
GOOD = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OTHER_SECRET = "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH"


def signed(
    signatures: str = GOOD,
    *,
    secrets: tuple[str, ...] = (SECRET,),
    message_id: str = MESSAGE_ID,
    timestamp: str = TIMESTAMP,
    body: bytes = BODY,
) -> bool:
    return is_signed(secrets, signatures, message_id=message_id, timestamp=timestamp, body=body)


def test_the_published_vector_passes() -> None:
    assert signed()


def test_the_sdk_and_we_agree() -> None:
    from replicate.webhook import Webhooks, WebhookSigningSecret

    headers = {"webhook-id": MESSAGE_ID, "webhook-timestamp": TIMESTAMP, "webhook-signature": GOOD}

    Webhooks.validate(headers=headers, body=BODY.decode(), secret=WebhookSigningSecret(key=SECRET))
    assert signed()


@pytest.mark.parametrize(
    "signatures",
    [
        f"v1,{'A' * 43}= {GOOD}",
        f"{GOOD} v1,{'A' * 43}=",
        f"garbage {GOOD}",
        f", ,, v1, v1 {GOOD}",
        f"v1,ünïcödé {GOOD}",
        f"v1,\ud800 {GOOD}",
        f"v2,whatever {GOOD} v1a,x",
        f"  {GOOD}  ",
        f"v1,{'x' * 100_000} {GOOD}",
    ],
)
def test_a_good_signature_passes_whatever_stands_beside_it(signatures: str) -> None:
    assert signed(signatures)


@pytest.mark.parametrize(
    "signatures",
    [
        "",
        " ",
        ",",
        "v1",
        "v1,",
        "v1,invalid_signature",
        "v1,\ud800",
        GOOD.removeprefix("v1,"),
        GOOD.replace("v1,", "v2,"),
        GOOD.replace("v1,", "V1,"),
        GOOD.replace("v1,", "v1a,"),
        GOOD.replace("v1,", ","),
        GOOD.replace(",", ", "),
        GOOD.replace(",", ":"),
        GOOD.rstrip("="),
        GOOD.swapcase(),
        GOOD + "=",
        # What an HTTP API makes of the same header sent twice.
        f"{GOOD},{GOOD}",
    ],
)
def test_nothing_else_passes(signatures: str) -> None:
    assert not signed(signatures)


def test_everything_signed_counts() -> None:
    assert not signed(body=BODY + b" ")
    assert not signed(timestamp="1614265331")
    assert not signed(message_id=MESSAGE_ID[:-1])


def test_a_signature_is_for_its_own_time_id_and_body() -> None:
    def made(*, message_id: str = MESSAGE_ID, timestamp: str = TIMESTAMP, body: bytes = BODY) -> str | None:
        return signature(SECRET, message_id=message_id, timestamp=timestamp, body=body)

    others = {made(timestamp="1614265331"), made(message_id=MESSAGE_ID[:-1]), made(body=BODY + b" ")}

    assert len(others | {made()}) == 4
    assert not any(signed(f"v1,{other}") for other in others)


def test_any_active_secret_will_do() -> None:
    assert signed(secrets=(OTHER_SECRET, SECRET))
    assert signed(secrets=(SECRET, OTHER_SECRET))
    assert not signed(secrets=(OTHER_SECRET,))
    assert not signed(secrets=())


@pytest.mark.parametrize("broken", ["", "whsec_", "whsec_%%%", "whsec_ü", "whsec_abc", "whsec_AAAA\n"])
def test_a_secret_that_is_none_signs_nothing(broken: str) -> None:
    assert signature(broken, message_id=MESSAGE_ID, timestamp=TIMESTAMP, body=BODY) is None
    assert not signed(secrets=(broken,))
    assert signed(secrets=(broken, SECRET))


def test_an_empty_key_is_no_key() -> None:
    by_anyone = hmac.digest(b"", b".".join((MESSAGE_ID.encode(), TIMESTAMP.encode(), BODY)), hashlib.sha256)

    assert not signed(f"v1,{base64.b64encode(by_anyone).decode()}", secrets=("whsec_", ""))


@given(message_id=st.text(), timestamp=st.text(), body=st.binary(), signatures=st.text())
def test_no_input_raises_and_none_passes(
    message_id: str, timestamp: str, body: bytes, signatures: str
) -> None:
    assert not signed(signatures, message_id=message_id, timestamp=timestamp, body=body)
    own = signature(SECRET, message_id=message_id, timestamp=timestamp, body=body)
    assert signed(f"v1,{own}", message_id=message_id, timestamp=timestamp, body=body)
