from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revela.domain.training_progress import TrainingProgress, read_training_progress

FLUX = (
    "flux_train_replicate:  83%|████████▎ | 2482/3000 [43:27<09:04,  1.05s/it, lr: 4.0e-04 loss: 2.472e-01]"
)
PREPARING = """\
Extracted 12 files from zip to input_images
Loading checkpoint shards: 100%|██████████| 3/3 [00:05<00:00,  1.69s/it]
Caption for input_images/1.jpg: Photo of REVK, 100% natural light | 3/3 [soft]
Caching latents to disk: 100%|██████████| 1000/1000 [00:01<00:00,  9.10it/s]
"""


def of(logs: str | None, steps: int = 1000) -> TrainingProgress | None:
    return read_training_progress(logs, steps=steps)


@pytest.mark.parametrize(
    ("line", "steps", "expected"),
    [
        (FLUX, 3000, (2482, 3000, 82, 544)),
        ("flux_train_replicate:   0%|          | 0/1000 [00:00<?, ?it/s]", 1000, (0, 1000, 0, None)),
        (
            "flux_train_replicate: 15% |███▌      | 150/1000 [03:25<08:32, 1.35it/s]",
            1000,
            (150, 1000, 15, 512),
        ),
        (
            "# PTI :step: 499, epoch: 62:  50%|█████     | 500/1000 [04:10<04:11,  1.99it/s]",
            1000,
            (500, 1000, 50, 251),
        ),
        (" 50%|#####     | 14/28 [00:01<00:01,  9.33it/s]", 28, (14, 28, 50, 1)),
        (" 10%|â–ˆ         | 400/4000 [1:00:00<9:00:00,  9.00s/it]", 4000, (400, 4000, 10, 32_400)),
        (" 10%|█| 100/1000 [02:00<?, ?it/s]", 1000, (100, 1000, 10, 1080)),
        (
            "flux_train_replicate: 100%|██████████| 1000/1000 [20:00<00:00,  1.20s/it]",
            1000,
            (1000, 1000, 99, 0),
        ),
    ],
)
def test_a_bar_is_read_as_each_trainer_prints_it(
    line: str, steps: int, expected: tuple[int, int, int, int | None]
) -> None:
    assert of(line, steps) == expected


@pytest.mark.parametrize("logs", [None, "", "Starting train job\n", PREPARING, "%|", "100%|x| 1000/1000"])
def test_before_the_first_step_there_is_no_progress(logs: str | None) -> None:
    assert of(logs) is None


def test_only_the_bar_of_the_steps_counts() -> None:
    trained = "flux_train_replicate:  20%|██        | 200/1000 [04:00<16:00,  1.20s/it]\n"
    later = "Generating samples:  50%|█████     | 500/1000 [00:01<00:01, 10it/s]\nSaved to output/\n"

    assert of(PREPARING + trained + later) == (200, 1000, 20, 960)


def test_a_bar_of_another_length_is_another_bar() -> None:
    assert of(" 50%|█████     | 10/20 [00:01<00:01,  9.33it/s]") is None
    assert of(" 50%|█████     | 2000/1000 [00:01<00:01,  9.33it/s]") is None


def test_the_last_state_of_a_redrawn_bar_counts() -> None:
    logs = "\r".join(
        f"{n // 10:3d}%|██| {n}/1000 [00:10<00:{n // 20:02d},  1.0it/s]" for n in (100, 300, 700)
    )

    assert of(PREPARING + logs) == (700, 1000, 70, 35)


def test_logs_cut_anywhere_never_tell_a_wrong_number() -> None:
    line = "flux_train_replicate:  93%|█████████▎| 930/1000 [18:36<01:24,  1.20s/it, lr: 4.0e-04]"
    right = (930, 1000, 93)

    for cut in range(len(line)):
        for part in (line[cut:], line[:cut]):
            found = of(part)
            assert found is None or (found[:3] == right)
    assert of("9" + line[line.index("3%") :]) is not None


def test_megabytes_of_logs_are_read_from_their_end() -> None:
    tail = "flux_train_replicate:  40%|████      | 400/1000 [08:00<12:00,  1.20s/it]\n"
    noise = "x" * 5_000_000

    assert of(noise + "\n" + tail) == (400, 1000, 40, 720)
    assert of(tail + noise) is None, "too far back to be looked for"
    assert of("%|" * 2_000_000) is None
    assert of(("7%|" + "█" * 100) * 50_000) is None


@settings(derandomize=True, database=None, deadline=None)
@given(st.text(), st.integers(1, 10_000))
def test_whatever_is_logged_is_read_without_complaint(logs: str, steps: int) -> None:
    found = of(logs, steps)

    assert found is None or 0 <= found.percent <= 99


@settings(derandomize=True, database=None, deadline=None)
@given(st.integers(0, 4000), st.text(max_size=50))
def test_progress_never_exceeds_its_steps(step: int, label: str) -> None:
    found = of(f"{label}\n 5%|█| {step}/2000 [00:10<00:20,  1it/s]", 2000)

    assert (found is None) == (step > 2000)
    assert found is None or (found.step, found.percent) == (step, min(99, step // 20))
