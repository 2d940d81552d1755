"""ministack with a bound on its Lambda workers: a burst of requests waits for them instead of adding to them.

    python -P local/embedded_aws.py          in ministack's own environment

As AWS would, ministack runs every concurrent invocation in an environment of its own: a hundred requests at
once are a hundred interpreters, and one machine does nothing but start them until they have timed out.
"""

from __future__ import annotations

import threading
from typing import Any

from ministack.core import lambda_runtime  # type: ignore[import-not-found]  # lives in an environment of its own
from ministack.services import lambda_svc  # type: ignore[import-not-found]

# More than the template lets a queue have, so that a function that waits for its turn at Replicate may.
WORKERS_PER_FUNCTION = 8
LOOK_AGAIN_S = 1.0

_acquire = lambda_runtime.acquire_worker
_release = lambda_runtime.release_worker
_released = threading.Condition()


def acquire_worker(*args: Any, **options: Any) -> Any:
    """Lease a worker, waiting for one when there are enough: every invocation has a thread of its own."""
    with _released:
        while True:
            worker, reason = _acquire(*args, **{**options, "max_concurrency": WORKERS_PER_FUNCTION})
            if worker is not None:
                return worker, reason
            _released.wait(LOOK_AGAIN_S)


def release_worker(worker: Any) -> None:
    _release(worker)
    with _released:
        _released.notify_all()


if __name__ == "__main__":
    lambda_svc.acquire_worker = acquire_worker
    lambda_svc.release_worker = release_worker
    from ministack.app import main  # type: ignore[import-not-found]

    main()
