"""Keep Replicate's webhook signing secret where the webhook's door reads it."""

from __future__ import annotations

from revela.domain.errors import Permanent, Transient
from revela.ports import Ports


def keep_webhook_secret(*, ports: Ports) -> None:
    """Fetch and store the secret when none is known yet, and once an hour; keeps the one before it.

    Nothing depends on it at once: polling finishes what a webhook could not prove.
    """
    try:
        # On the hour instead of a remembered time: no row for what may be late or done twice.
        if ports.clock.now().minute and ports.webhook_secrets.knows_replicate_secret():
            return
        if ports.webhook_secrets.remember_replicate_secret(ports.provider.webhook_secret()):
            ports.telemetry.info("webhook_secret_stored")
    except (Transient, Permanent) as error:
        ports.telemetry.warning("webhook_secret_not_kept", reason=type(error).__name__)
