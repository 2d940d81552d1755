"""How far a training is, read from the logs that its trainer prints.

Trainers print tqdm bars: one for each file they fetch, for captions, latents and checkpoints, and one
for the steps. Only the last counts. The forms (flux-fine-tuner, cog-sdxl, Cog's own):

    flux_train_replicate:  83%|████████▎ | 2482/3000 [43:27<09:04,  1.05s/it, lr: 4.0e-04 loss: 2.472e-01]
    # PTI :step: 499, epoch: 62:  50%|█████     | 500/1000 [04:10<04:11,  1.99it/s]
     50%|█████     | 14/28 [00:01<00:01,  9.33it/s]
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

# Bars are redrawn every few seconds, so the last one is near the end, however long the log has grown.
_READ_CHARACTERS = 256 * 1024
_LINE_CHARACTERS = 600

_BAR = re.compile(
    r"\d\s?%\s?\|[^|]{0,120}\|\s?"
    r"(?P<step>\d{1,7})/(?P<total>\d{1,7}) \[(?P<elapsed>[\d:]{1,12})(?:<(?P<left>[\d:]{1,12}))?"
)
_TRAINS = re.compile(r"flux_train_replicate|# PTI\b", re.IGNORECASE)
_PREPARES = re.compile(
    r"download|fetch|caption|latent|load|quantiz|checkpoint|shard|extract|upload|sampl|map", re.IGNORECASE
)
# Whole only when the provider says that it succeeded: weights are still saved after the last step.
_MOST_PERCENT = 99


class TrainingProgress(NamedTuple):
    """`percent` of the steps, 0 to 99; `left_s` None as long as the trainer cannot tell."""

    step: int
    steps: int
    percent: int
    left_s: int | None


def read_training_progress(logs: str | None, *, steps: int) -> TrainingProgress | None:
    """Return where the training's own bar stands last, or None when it has not begun.

    `steps` is how many were asked for. Head and tail of the logs may be cut anywhere.
    """
    if not logs:
        return None
    for line in reversed(re.split(r"[\r\n]", logs[-_READ_CHARACTERS:])):
        for bar in reversed(list(_BAR.finditer(line[-_LINE_CHARACTERS:]))):
            if _is_of_the_steps(bar, steps):
                return _progress(bar)
    return None


def _is_of_the_steps(bar: re.Match[str], steps: int) -> bool:
    if int(bar["total"]) != steps or int(bar["step"]) > steps:
        return False
    label = bar.string[: bar.start()]
    return _TRAINS.search(label) is not None or _PREPARES.search(label) is None


def _progress(bar: re.Match[str]) -> TrainingProgress:
    step, steps = int(bar["step"]), int(bar["total"])
    # From the numbers: the printed percentage may have lost its first digit with the head of the logs.
    percent = min(_MOST_PERCENT, step * 100 // steps) if steps else 0
    return TrainingProgress(step, steps, percent, _left_s(bar, step, steps))


def _left_s(bar: re.Match[str], step: int, steps: int) -> int | None:
    if (left := _seconds(bar["left"])) is not None:
        return left
    elapsed = _seconds(bar["elapsed"])
    return math.ceil(elapsed * (steps - step) / step) if elapsed and step else None


def _seconds(clock: str | None) -> int | None:
    """Read `mm:ss`, `h:mm:ss` or `d:hh:mm:ss`."""
    parts = (clock or "").split(":")
    if not 2 <= len(parts) <= 4 or not all(part.isdigit() for part in parts):
        return None
    total = 0
    for part, unit in zip(reversed(parts), (1, 60, 3_600, 86_400), strict=False):
        total += int(part) * unit
    return total
