"""`python -m local.replicate`: serve the stand-in on 127.0.0.1 until interrupted or terminated."""

import argparse
import logging
import socket
import sys
from pathlib import Path

import uvicorn

from local.replicate.app import closing_dropped, create_app
from local.replicate.clock import Clock
from local.replicate.stand_in import DEFAULT_FILES_SECRET, DEFAULT_TOKEN, Settings, StandIn
from local.replicate.webhooks import new_secret

HOST = "127.0.0.1"


def main(arguments: list[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    _log_to(asked.log_file)
    # asyncio turns off Nagle's delays, 40 ms a reply, only for sockets that name their protocol.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        # The port is bound here, not by uvicorn, so that a free one is known before the first URL is made.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, asked.port))
        except OSError as error:
            print(f"cannot listen on {HOST}:{asked.port}: {error.strerror}", file=sys.stderr)
            return 1
        own_origin = f"http://{HOST}:{listener.getsockname()[1]}"
        settings = Settings(
            origin=(asked.origin or own_origin).rstrip("/"),
            token=asked.token,
            webhook_secret=asked.webhook_secret or new_secret(),
            files_secret=asked.files_secret,
        )
        stand_in = StandIn(settings, clock=Clock(scale=asked.time_scale))
        server = uvicorn.Server(
            uvicorn.Config(
                closing_dropped(create_app(stand_in)),
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=2,
            )
        )
        listener.listen()
        print(f"Replicate stand-in on {own_origin}", flush=True)
        server.run(sockets=[listener])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.replicate", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one and prints it")
    parser.add_argument("--origin", help="origin of all URLs in replies, where it is not the port's own")
    parser.add_argument("--token", default=DEFAULT_TOKEN, help="API token to accept (default %(default)s)")
    parser.add_argument("--webhook-secret", type=_webhook_secret, help="whsec_..., a new one by default")
    parser.add_argument(
        "--files-secret",
        default=DEFAULT_FILES_SECRET,
        help="what download URLs of files are signed with (default %(default)s)",
    )
    parser.add_argument(
        "--time-scale", type=_scale, default=1.0, help="seconds of its clock in a real second"
    )
    parser.add_argument("--log-file", type=Path, help="standard error by default")
    return parser


def _scale(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be above zero")
    return value


def _webhook_secret(text: str) -> str:
    if not text.startswith("whsec_"):
        raise argparse.ArgumentTypeError("must begin with whsec_")
    return text


def _log_to(file: Path | None) -> None:
    handler = logging.StreamHandler() if file is None else logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(
        logging.WARNING
    )  # its lines hold whole URLs, secrets in queries included


if __name__ == "__main__":
    sys.exit(main())
