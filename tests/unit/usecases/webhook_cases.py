"""The corpus of webhooks: genuine ones of every form, unproven ones, signed ones that are no prediction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

from revela.adapters.replicate.signature import signature
from revela.adapters.url_token import url_token
from revela.usecases.hear_webhook import HearWebhook
from tests.fakes.clock import START

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
OTHER_SECRET = "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH"
KEY = "the-key-of-our-urls"
USER, GENERATION = "auth0|ana", "gen_01K4YVZ5M0QH8W3D9RJ2T6XBCE"
NOW_S = int(START.timestamp())
PREDICTION: dict[str, Any] = {
    "id": "gm3qorzdhgbfurvjtvhg6dckhu",
    "status": "succeeded",
    "input": {"prompt": "a lighthouse"},
    "logs": "100%",
    "output": ["https://replicate.delivery/x/out-0.webp"],
    "error": None,
    "metrics": {"predict_time": 2.5},
    "completed_at": (START - timedelta(seconds=3)).isoformat(),
}
BODY = json.dumps(PREDICTION).encode()


def query(key: str = KEY, **changed: Any) -> str:
    named = {"user": USER, "id": GENERATION, "attempt": 2}
    token = url_token(key, user_id=USER, generation_id=GENERATION, attempt=2)
    return urlencode(named | {"token": token} | changed)


def webhook(
    body: bytes = BODY,
    *,
    secret: str = SECRET,
    timestamp: str = str(NOW_S),
    message_id: str = "msg_1",
    signatures: str = "v1,{good}",
    query_string: str | None = None,
) -> HearWebhook:
    """Return a genuine webhook, but for what is given; `{good}` is the signature in base64."""
    good = signature(secret, message_id=message_id, timestamp=timestamp, body=body)
    return HearWebhook(
        headers={
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signatures.replace("{good}", str(good)),
        },
        query=query() if query_string is None else query_string,
        body=body,
    )


def saying(**fields: Any) -> HearWebhook:
    """Return a genuine webhook about a prediction with these fields."""
    return webhook(json.dumps(PREDICTION | fields).encode())


def raw(field: str, value: bytes) -> HearWebhook:
    """Return a genuine webhook that holds a field as these very bytes."""
    return webhook(BODY[:-1] + b', "' + field.encode() + b'": ' + value + b"}")


def with_headers(changed: Mapping[str, str | None], of: HearWebhook | None = None) -> HearWebhook:
    """Return a webhook with headers replaced after it was signed; None takes one away."""
    genuine = of or webhook()
    headers: dict[str, str | None] = {**genuine.headers, **changed}
    return replace(genuine, headers={name: value for name, value in headers.items() if value is not None})


def _renamed(prefix: str) -> HearWebhook:
    headers = {name.replace("webhook-", prefix): value for name, value in webhook().headers.items()}
    return replace(webhook(), headers=headers)


HEARD: dict[str, HearWebhook] = {
    "as documented": webhook(),
    "signature behind garbage": webhook(signatures="garbage v1,{good}"),
    "signature behind no base64": webhook(signatures="v1,not-base64 v1,{good}"),
    "signature among three": webhook(signatures="v1,AAAA v1,{good} v2,AAAA"),
    "signature behind letters of elsewhere": webhook(signatures="v1,ü v1,{good}"),
    "signature behind empty parts": webhook(signatures=",,, v1 v1, v1,{good}"),
    "signature twice": webhook(signatures="v1,{good} v1,{good}"),
    "signature behind a thousand others": webhook(signatures="v1,AAAA " * 1_000 + "v1,{good}"),
    "signature between spaces": webhook(signatures="  v1,{good}  "),
    **{f"{offset_s} s off": webhook(timestamp=str(NOW_S + offset_s)) for offset_s in (-300, -299, 299, 300)},
    **{
        f"header names in {case.__name__} case": replace(
            webhook(), headers={case(name): value for name, value in webhook().headers.items()}
        )
        for case in (str.upper, str.title)
    },
    "headers of proxies beside ours": with_headers({"x-forwarded-for": "10.0.0.1", "svix-id": "x"}),
    "id of another form": webhook(message_id="é 1.2,3"),
    "query in another order": webhook(query_string="&".join(reversed(query().split("&")))),
    "query with more in it": webhook(query_string=f"utm_source=x&{query()}&x"),
    "query escaped throughout": webhook(
        query_string="&".join(
            f"{name}={''.join(f'%{byte:02X}' for byte in value.encode())}"
            for name, value in (
                ("user", USER),
                ("id", GENERATION),
                ("attempt", "2"),
                ("token", url_token(KEY, user_id=USER, generation_id=GENERATION, attempt=2)),
            )
        )
    ),
    **{
        f"status {status}": saying(status=status, output=None, completed_at=None)
        for status in ("starting", "processing", "failed", "canceled", "aborted")
    },
    "fields of tomorrow": saying(deadline="2026", source="api", x={"y": [1]}),
    "output of one": saying(output="https://replicate.delivery/x/out-0.webp"),
    "output of another type": saying(output={"a": [1]}),
    "output of many types": saying(output=[1, None, [], {}, True, "https://replicate.delivery/x"]),
    "output of a thousand": saying(output=["https://replicate.delivery/x"] * 1_000),
    "output of data": saying(output="data:image/png;base64," + "A" * 100_000),
    "error of another type": saying(error={"detail": [{"loc": ["x"]}]}),
    "error without end": saying(status="failed", error="x" * 100_000),
    "error with half a surrogate": raw("error", b'"\\ud83d"'),
    "error nested deeply": raw("error", b"[" * 400 + b"]" * 400),
    "metrics of another type": saying(metrics=[2.5]),
    "predict_time of text": saying(metrics={"predict_time": "2.5"}),
    "predict_time below nothing": saying(metrics={"predict_time": -1}),
    "predict_time NaN": raw("metrics", b'{"predict_time": NaN}'),
    "predict_time infinite": raw("metrics", b'{"predict_time": 1e999}'),
    "predict_time of 4,000 digits": raw("metrics", b'{"predict_time": ' + b"9" * 4_000 + b"}"),
    "times of another type": saying(created_at=1772452800, started_at=None, completed_at={}),
    "times that are none": saying(created_at="yesterday", completed_at="9999-99-99T00:00:00Z"),
    "times beyond the calendar": saying(
        created_at="0001-01-01T00:00:00+14:00", completed_at="9999-12-31T23:59:59-12:00"
    ),
    "times of nine digits": saying(created_at="2026-03-02T11:59:50.123456789Z"),
    "data_removed of text": saying(data_removed="yes"),
    "a key twice": raw("status", b'"failed"'),
    "a byte order mark": webhook(b"\xef\xbb\xbf" + BODY),
    "UTF-16": webhook(BODY.decode().encode("utf-16")),
    "line ends and spaces": webhook(b"\r\n\t " + json.dumps(PREDICTION, indent=4).encode() + b"\n"),
    "logs of half a megabyte": saying(logs="x" * 500_000),
}

# With what is told to operators as the reason.
UNPROVEN: dict[str, tuple[HearWebhook, str]] = {
    "forged": (webhook(secret=OTHER_SECRET), "signature"),
    "unsigned": (webhook(signatures=" "), "signature"),
    "stale": (webhook(timestamp=str(NOW_S - 301)), "timestamp"),
    "from the future": (webhook(timestamp=str(NOW_S + 301)), "timestamp"),
    "of the year 2021": (webhook(timestamp="1614265330"), "timestamp"),
    "of the year 1970": (webhook(timestamp="0"), "timestamp"),
    "of the year 33,658": (webhook(timestamp="999999999999"), "timestamp"),
    "signature of version 2": (webhook(signatures="v2,{good}"), "signature"),
    "signature of version 1a": (webhook(signatures="v1a,{good}"), "signature"),
    "signature of a capital version": (webhook(signatures="V1,{good}"), "signature"),
    "signature of no version": (webhook(signatures="{good}"), "signature"),
    "signature of an empty version": (webhook(signatures=",{good}"), "signature"),
    "signature that is empty": (webhook(signatures="v1,"), "signature"),
    "signature without a comma": (webhook(signatures="v1{good}"), "signature"),
    "signature behind a space": (webhook(signatures="v1, {good}"), "signature"),
    "signature behind a colon": (webhook(signatures="v1:{good}"), "signature"),
    "signature with an end too many": (webhook(signatures="v1,{good}="), "signature"),
    "signature in quotes": (webhook(signatures='"v1,{good}"'), "signature"),
    "signature of noise": (webhook(signatures="v1,%%%%"), "signature"),
    "signature of letters of elsewhere": (webhook(signatures="v1,подпись"), "signature"),
    "signature of half a megabyte": (webhook(signatures="v1," + "A" * 500_000), "signature"),
    "ten thousand wrong signatures": (webhook(signatures="v1,AAAA " * 10_000), "signature"),
    "signatures joined by a gateway": (webhook(signatures="v1,{good},v1,{good}"), "signature"),
    "signature of another body": (replace(webhook(), body=BODY + b" "), "signature"),
    "signature of the body as it was": (replace(webhook(), body=BODY.replace(b": ", b":")), "signature"),
    "signature of another id": (with_headers({"webhook-id": "msg_2"}), "signature"),
    "signature of another moment": (with_headers({"webhook-timestamp": str(NOW_S + 1)}), "signature"),
    "signature of id and timestamp exchanged": (
        with_headers({"webhook-id": str(NOW_S)}, webhook(message_id=f"{NOW_S}.{NOW_S}")),
        "signature",
    ),
    "not UTF-8, forged": (replace(webhook(), body=b"\xff\xfe"), "signature"),
    "empty body, forged": (replace(webhook(), body=b""), "signature"),
    "timestamp without digits": (webhook(timestamp="now"), "headers"),
    "timestamp with a sign": (webhook(timestamp=f"+{NOW_S}"), "headers"),
    "timestamp below nothing": (webhook(timestamp=f"-{NOW_S}"), "headers"),
    "timestamp with a fraction": (webhook(timestamp=f"{NOW_S}.0"), "headers"),
    "timestamp with an exponent": (webhook(timestamp="1e9"), "headers"),
    "timestamp with underscores": (webhook(timestamp="1_772_452_800"), "headers"),
    "timestamp in hexadecimal": (webhook(timestamp=hex(NOW_S)), "headers"),
    "timestamp in milliseconds": (webhook(timestamp=f"{NOW_S}000"), "headers"),
    "timestamp in ISO 8601": (webhook(timestamp=START.isoformat()), "headers"),
    "timestamp behind a space": (webhook(timestamp=f" {NOW_S}"), "headers"),
    "timestamp before a line's end": (webhook(timestamp=f"{NOW_S}\n"), "headers"),
    "timestamp in other digits": (webhook(timestamp="١٧٧٢٤٥٢٨٠٠"), "headers"),
    "timestamp without end": (webhook(timestamp="9" * 5_000), "headers"),
    "timestamps joined by a gateway": (webhook(timestamp=f"{NOW_S},{NOW_S}"), "headers"),
    "id sent twice": (with_headers({"Webhook-Id": "msg_1"}), "headers"),
    "timestamp sent twice": (with_headers({"Webhook-Timestamp": str(NOW_S)}), "headers"),
    "signature sent twice": (with_headers({"Webhook-Signature": "v1,AAAA"}), "headers"),
    "no headers": (replace(webhook(), headers={}), "headers"),
    "headers of another sender": (_renamed("svix-"), "headers"),
    "headers of an older form": (_renamed("x-webhook-"), "headers"),
    **{
        f"{header} {how}": (with_headers({header: value}), "headers")
        for header in ("webhook-id", "webhook-timestamp", "webhook-signature")
        for how, value in (("missing", None), ("empty", ""))
    },
    "no query": (webhook(query_string=""), "url"),
    "token of another attempt": (webhook(query_string=query(attempt=1)), "url"),
    "token of another generation": (webhook(query_string=query(id="gen_other")), "url"),
    "token of another user": (webhook(query_string=query(user="eva")), "url"),
    "token made with another key": (webhook(query_string=query(key="another")), "url"),
    "wrong token": (webhook(query_string=query(token="A" * 43)), "url"),
    "no token": (webhook(query_string=query(token="")), "url"),
    "token of half a megabyte": (webhook(query_string=query(token="A" * 500_000)), "url"),
    "token of letters of elsewhere": (webhook(query_string=query(token="ключ")), "url"),
    "two tokens": (webhook(query_string=f"{query()}&token=x"), "url"),
    "the token twice": (webhook(query_string="&".join([query(), query().split("&")[-1]])), "url"),
    "two users": (webhook(query_string=f"{query()}&user=eva"), "url"),
    "two attempts": (webhook(query_string=f"{query()}&attempt=2"), "url"),
    "no user": (webhook(query_string=query(user="")), "url"),
    "no generation": (webhook(query_string=query(id="")), "url"),
    "user in capitals": (webhook(query_string=query(user=USER.upper())), "url"),
    "user before a zero byte": (webhook(query_string=query(user=f"{USER}\0")), "url"),
    "user escaped twice": (webhook(query_string=query(user=quote(USER))), "url"),
    "names in capitals": (webhook(query_string=query().replace("token=", "TOKEN=")), "url"),
    **{
        f"attempt {attempt!r}": (webhook(query_string=query(attempt=attempt)), "url")
        for attempt in ("two", "", "0", "02", "-2", "+2", " 2", "2.0", "2e0", "0x2", "２", "9" * 7)
    },
    "half a query": (webhook(query_string="user=%ff&id&&&==%%%"), "url"),
    "a query with semicolons": (webhook(query_string=query().replace("&", ";")), "url"),
    "a thousand fields": (webhook(query_string="&".join(f"a{n}=1" for n in range(1_000))), "url"),
}


def _about(id_: Any, status: Any = "succeeded") -> bytes:
    return json.dumps({"id": id_, "status": status}).encode()


NO_IDS = ("", " ", "a/b", "a/../b", "a b", "gm3q\n", "é", "x" * 65, 7, 7.5, True, None, ["a"], {"a": 1})

MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "a space": b" ",
    "zero bytes": b"\x00" * 9,
    "no JSON": b"not json",
    "HTML": b"<html><body>502 Bad Gateway</body></html>",
    "a form": b"id=gm3q&status=succeeded",
    "single quotes": b"{'id': 'gm3q', 'status': 'succeeded'}",
    "a comment": b'{"id": "gm3q", "status": "succeeded"} // it is',
    "a brace": b"{",
    "half of it": BODY[: len(BODY) // 2],
    "all but the end": BODY[:-1],
    "two of them": BODY + BODY,
    "null": b"null",
    "true": b"true",
    "a number": b"7",
    "NaN": b"NaN",
    "text": b'"succeeded"',
    "a list": b"[1]",
    "it in a list": b"[" + BODY + b"]",
    "an empty object": b"{}",
    "lists without end": b"[" * 100_000,
    "objects without end": b'{"id": ' * 50_000,
    "a number of 10,000 digits": b'{"id": "gm3q", "status": "succeeded", "n": ' + b"9" * 10_000 + b"}",
    "no UTF-8": b'{"id": "\xff\xfe"}',
    "UTF-8 cut short": b'{"id": "gm3q", "status": "succeeded", "error": "\xc3"}',
    "half of UTF-16": BODY.decode().encode("utf-16")[:-1],
    "no id": b'{"status": "succeeded"}',
    "no status": b'{"id": "gm3q"}',
    **{f"id {id_!r:.20}": _about(id_) for id_ in NO_IDS},
    **{
        f"status {status!r}": _about("gm3q", status)
        for status in ("", "queued", "Succeeded", "succeeded ", 1, True, None, ["succeeded"], {"a": "failed"})
    },
}
