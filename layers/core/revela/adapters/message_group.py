"""The message group of a user: on a standard queue it keeps one busy user from holding up the rest."""

from __future__ import annotations

import hashlib
import re

# What SQS takes as a group: letters, digits and punctuation of ASCII, at most 128 of them.
_GROUP = re.compile(r"[!-~]{1,128}")


def message_group(user_id: str) -> str:
    if _GROUP.fullmatch(user_id):
        return user_id
    return hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).hexdigest()
