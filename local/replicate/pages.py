"""Pages of a list that grows at its front: opaque cursors that no new entry shifts."""

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import parse_qs, urlencode

PAGE_SIZE = 100

Item = TypeVar("Item")


@dataclass(frozen=True)
class Cursor:
    """A place between two entries: the page is what is older than `number`, or newer when going back."""

    number: int
    backwards: bool = False

    def encode(self) -> str:
        fields = ({"r": "1"} if self.backwards else {}) | {"p": str(self.number)}
        return base64.urlsafe_b64encode(urlencode(fields).encode()).decode()

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Raises ValueError for what `encode` did not write."""
        try:
            fields = parse_qs(base64.b64decode(text.encode(), altchars=b"-_", validate=True).decode())
            return cls(int(fields["p"][0]), backwards="r" in fields)
        except (binascii.Error, UnicodeError, KeyError) as error:
            raise ValueError("not a cursor") from error


@dataclass(frozen=True)
class Page(Generic[Item]):
    results: Sequence[Item]
    next: Cursor | None
    previous: Cursor | None


def page_of(
    newest_first: Sequence[Item], number_of: Callable[[Item], int], cursor: Cursor | None
) -> Page[Item]:
    """Numbers fall along the list; the first page has no previous one."""
    if cursor is None:
        start, end = 0, PAGE_SIZE
    elif cursor.backwards:
        end = bisect_left(newest_first, -cursor.number, key=lambda item: -number_of(item))
        start = max(0, end - PAGE_SIZE)
    else:
        start = bisect_right(newest_first, -cursor.number, key=lambda item: -number_of(item))
        end = start + PAGE_SIZE
    results = newest_first[start:end]
    return Page(
        results,
        next=Cursor(number_of(results[-1])) if results and end < len(newest_first) else None,
        previous=Cursor(number_of(results[0]), backwards=True) if results and start > 0 else None,
    )
