"""Every error that crosses a boundary.

Refused                     the caller must change something -> 4xx
  Malformed                   400: the body cannot be read
  Unauthorized                401
  NoCredits                   402
  NotInPlan                   403: the plan has no such thing at all
  Suspended                   403: the account may not make anything for a while
  NotFound                    404: also for what is somebody else's
  NotNow                      409: not in this state, or crowded out by other writers
  TooLarge                    413
  InvalidRequest              422: fields that are not accepted
  TooMany                     429: a limit of the plan
  Unavailable                 503: something this needs is away for some minutes
Transient                   try the same again -> the message is delivered again
  Conflict                    a row was no longer as it was read
  JudgeUnavailable            a judge of prompts or images is away, or says what nobody can read
  ProviderTransient           the provider did not answer; nobody knows what it did
    ProviderUnavailable         the provider surely did nothing (5xx before work, no connection)
      ProviderThrottled           429
      OutOfCredit                 402: the account at the provider is empty
      ProviderUnauthorized        401, 403: the API token is wrong
Permanent                   recorded on the job, never tried again
  ProviderRejected            400, 422: the provider will not take this input
  ProviderNotFound            404: no such model, version or prediction
  OutputUnusable              an output is gone, or is not the image that was asked for
  ArchiveIncomplete           a photo to train with is gone, or is not what it was
  TicketVoid                  a judge will never answer what it was asked: ask anew
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class InvalidParam:
    """One request field that was not accepted: `code` and `args` name a text of `messages`."""

    name: str
    code: str
    args: Mapping[str, Any] = field(default_factory=dict)


class Refused(Exception):
    """The request is not accepted; `code` is stable, `args` fill its text in `messages`."""

    status = 400

    def __init__(
        self,
        code: str,
        *,
        invalid_params: Iterable[InvalidParam] = (),
        retry_after_s: int | None = None,
        **args: Any,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.args_ = args
        self.invalid_params = tuple(invalid_params)
        self.retry_after_s = retry_after_s


class Malformed(Refused):
    status = 400


class Unauthorized(Refused):
    status = 401


class NoCredits(Refused):
    status = 402


class NotInPlan(Refused):
    status = 403


class Suspended(Refused):
    status = 403


class NotFound(Refused):
    status = 404


class NotNow(Refused):
    """The thing is in a state in which this cannot be done."""

    status = 409


class TooLarge(Refused):
    status = 413


class InvalidRequest(Refused):
    status = 422


class TooMany(Refused):
    status = 429


class Unavailable(Refused):
    status = 503


class Transient(Exception):
    """The same may work later: raise it, and be delivered again."""


class Conflict(Transient):
    """A write met a row that is no longer as it was read; `failed` names the parts of the change."""

    def __init__(self, failed: Iterable[str] = ()) -> None:
        self.failed = frozenset(failed)
        super().__init__(", ".join(sorted(self.failed)))


class JudgeUnavailable(Transient):
    """A judge of prompts or images does not answer; what it was to judge waits."""


class ProviderTransient(Transient):
    """The provider did not answer; it may or may not have acted."""


class ProviderUnavailable(ProviderTransient):
    """The provider surely did nothing: it refused the connection or failed before any work."""


class ProviderThrottled(ProviderUnavailable):
    """429; `retry_after_s` as the provider said, if it did."""

    def __init__(self, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class OutOfCredit(ProviderUnavailable):
    """402: the account at the provider has no credit left."""


class ProviderUnauthorized(ProviderUnavailable):
    """401 or 403: the provider does not take our token."""


class Permanent(Exception):
    """It will never work: recorded on the job and acknowledged."""


class ProviderRejected(Permanent):
    """400 or 422; `invalid_fields` as the provider named them."""

    def __init__(self, detail: str, invalid_fields: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.invalid_fields = invalid_fields


class ProviderNotFound(Permanent):
    """404: the model, version or prediction does not exist for this account."""


class OutputUnusable(Permanent):
    """An output cannot be had or is no image; `reason` is a stable word for logs and metrics."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ArchiveIncomplete(Permanent):
    """An object that was to go into an archive is gone, or is not what it was."""


class TicketVoid(Permanent):
    """A judge will never answer what it was asked; asking anew is harmless."""
