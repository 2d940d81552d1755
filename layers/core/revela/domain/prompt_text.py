"""Prompts as a policy reads them: what was written to be misread is undone.

A text is read in several ways, each a sequence of words; a disguise that spoils one reading shows in
another. Every step is linear in the length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import product
from typing import NamedTuple

Reading = tuple[str, ...]

# Stands in a reading where a clause ends, so that a negation does not reach over it.
BREAK = "."

_LATIN_ENDS = 0x250
_LETTERS = frozenset({"Ll", "Lo", "Lt", "Lu"})
_SKIN_TONES = frozenset("\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
# Blank to the eye, letters or symbols to Unicode.
_BLANKS = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# Letters of other scripts, and Latin letters without a decomposition, with those they resemble.
_LOOK_ALIKES: dict[int, int | str] = {}
for _letters, _resembled in (
    ("абвгекмнорстухіѕјԁһӏԛԝьпз", "abbrekmhopctyxisjdhlqwbnz"),  # Cyrillic
    ("αβγεηικνορτυχωμ", "abyenikvoptuxwu"),  # Greek
    ("օոսհց", "onuhg"),  # Armenian
    ("ıłđøħŧƒɑɛəɡɩ", "ildohtfaeegi"),
    ("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz"),  # small capitals
):
    _LOOK_ALIKES |= str.maketrans(_letters, _resembled)
_LOOK_ALIKES |= {ord("æ"): "ae", ord("œ"): "oe", ord("þ"): "p", ord("ð"): "d"}
for _first in (0x1F1E6, 0x1F150, 0x1F170):  # flags; letters in black circles and squares
    _LOOK_ALIKES.update({_first + index: chr(ord("a") + index) for index in range(26)})

_EMOJI = "\u2600-\u27bf\U0001f300-\U0001faff"
_PLAIN = re.compile(rf"[a-z]+|[0-9]+|[{_EMOJI}]|[.,;:!?\n()\[\]|]")
_POSSESSIVE = re.compile(r"(?<=[a-z])['’`]s\b")
_EDGES = ".,;:!?()[]{}<>\"'“”‘’`~_-*+#|/\\…"
_ENDS_CLAUSE = re.compile(r"[.,;:!?\n)\]|]$")
# One character, then one to three that are none, at least twice: s e x, s.e.x, s - e - x
_SPELLED = re.compile(
    r"(?<![a-z0-9@$])(?:[a-z0-9@$](?:[^a-z0-9@$]{1,3})){2,}[a-z0-9@$](?![a-z0-9@$])",
)
_LEET = {"0": "o", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g", "@": "a", "$": "s"}
_LEET |= {"+": "t", "€": "e", "£": "l", "¢": "c", "¥": "y", "6": "g"}
_ARTICLES = frozenset("aeoi")


class PromptText(NamedTuple):
    """`readings`: lower-case words without accents, numbers, emoji and BREAKs. The first is the plain one.

    `unread`: some of its letters belong to scripts that no list of terms is written in, and resemble none.
    """

    readings: tuple[Reading, ...]
    unread: bool


def read(text: str) -> PromptText:
    # What cannot be seen is between the letters of a word, or between words.
    looks = [_POSSESSIVE.sub("", folded.translate(_LOOK_ALIKES)) for folded in _folded(text)]
    readings = dict.fromkeys(
        reading for look in looks for reading in (_plain(look), *_undisguised(look), *_spelled(look))
    )
    unread = any(ord(c) >= _LATIN_ENDS and unicodedata.category(c) in _LETTERS for c in looks[0])
    return PromptText(tuple(reading for reading in readings if reading), unread)


def _folded(text: str) -> list[str]:
    """Return the text in lower case, without accents, styled letters, or anything that cannot be seen.

    Where there was any such thing, once more with a space in its place.
    """
    decomposed = unicodedata.normalize("NFKD", text)
    kept = [c for c in decomposed if c not in _SKIN_TONES and unicodedata.category(c) not in ("Mn", "Me")]
    seen = [" " if c != "\n" and unicodedata.category(c) == "Cc" else c for c in kept]
    unseen = [c in _BLANKS or unicodedata.category(c) in ("Cf", "Co", "Cn") for c in kept]
    texts = ["".join(c for c, hidden in zip(seen, unseen, strict=True) if not hidden)]
    if any(unseen):
        texts.append("".join(" " if hidden else c for c, hidden in zip(seen, unseen, strict=True)))
    return [unicodedata.normalize("NFKD", text.casefold()) for text in texts]


def _plain(text: str) -> Reading:
    return tuple(
        found if found.isalnum() or ord(found) >= 0x2600 else BREAK for found in _PLAIN.findall(text)
    )


def _undisguised(text: str) -> list[Reading]:
    """Read digits and signs inside words as the letters they resemble, and what is glued as one word."""
    ones = "il" if re.search(r"[1!|]", text) else "i"
    masks = "aeiou" if re.search(r"[a-z][*#]+[a-z]", text) else "a"
    return [_decoded(text, one, mask) for one, mask in product(ones, masks)]


def _decoded(text: str, one: str, mask: str) -> Reading:
    letters = str.maketrans(_LEET | dict.fromkeys("1!|", one) | dict.fromkeys("*#", mask))
    words: list[str] = []
    for chunk in text.split():
        inner = chunk.strip(_EDGES)
        if not re.search("[a-z]", inner) or re.search(f"[{_EMOJI}]", inner):
            words.extend(_plain(inner))
        elif inner.isalpha():
            words.append(inner)
        else:
            words.append("".join(re.findall("[a-z]", inner.translate(letters))))
        if _ENDS_CLAUSE.search(chunk):
            words.append(BREAK)
    return tuple(words)


def _spelled(text: str) -> list[Reading]:
    """Read words whose letters stand apart; where words stand no further apart, also their ends."""
    letters = str.maketrans(_LEET | {"1": "i"})
    ends: list[str] = []

    def joined(run: re.Match[str]) -> str:
        apart = re.split(r"\s{2,}", run[0])
        parts = ["".join(re.findall("[a-z]", part.translate(letters))) for part in apart]
        ends.extend(end for part in parts for end in (*_ends(part), BREAK))
        return " ".join(parts)

    whole = _plain(_SPELLED.sub(joined, text))
    return [whole, tuple(ends)] if ends else []


def _ends(spelled: str) -> list[str]:
    """Return what a run of letters may begin or end with, an article before it or after it aside."""
    starts = [spelled] + ([spelled[1:]] if spelled[:1] in _ARTICLES else [])
    longest = 16
    return [
        end
        for part in starts
        for size in range(3, min(len(part), longest) + 1)
        for end in (part[:size], part[-size:])
    ]
