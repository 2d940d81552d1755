"""Progress lines as models print them to their logs, by way of tqdm."""

_WIDTH = 10


def progress_line(done: int, total: int, elapsed_s: float) -> str:
    """` 50%|█████     | 14/28 [00:01<00:01,  9.33it/s]` and a line feed."""
    filled = done * _WIDTH // total
    bar = "█" * filled + " " * (_WIDTH - filled)
    rate = f"{done / elapsed_s:5.2f}it/s" if elapsed_s > 0 else "?it/s"
    left = _minutes(elapsed_s / done * (total - done)) if elapsed_s > 0 else "?"
    return f"{done * 100 // total:3d}%|{bar}| {done}/{total} [{_minutes(elapsed_s)}<{left}, {rate}]\n"


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
