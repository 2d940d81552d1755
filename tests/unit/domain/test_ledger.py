from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from revela.domain.ledger import EntryKind, LedgerEntry, fold
from tests.examples import an_entry

entries = st.lists(
    st.builds(
        lambda kind, credits_: an_entry(kind=kind, credits=credits_),
        st.sampled_from(EntryKind),
        st.integers(-1000, 1000),
    )
)


def test_an_empty_ledger_is_an_empty_account() -> None:
    assert fold([]) == (0, 0)


def test_entries_tell_the_balance_and_what_was_spent() -> None:
    told = [
        an_entry(1, kind=EntryKind.GRANT, credits=20),
        an_entry(2, kind=EntryKind.CAPTURE, credits=-6),
        an_entry(3, kind=EntryKind.EXPIRE, credits=-4),
        an_entry(4, kind=EntryKind.ADJUST, credits=2),
        an_entry(5, kind=EntryKind.VOID, credits=-1),
    ]

    assert fold(told) == (11, 6)


@settings(derandomize=True, database=None, deadline=None)
@given(entries, entries)
def test_folding_in_parts_is_folding_at_once(first: list[LedgerEntry], second: list[LedgerEntry]) -> None:
    """A balance may be carried forward: nothing depends on where one starts to read."""
    (balance, spent), (more, spent_more) = fold(first), fold(second)

    assert fold(first + second) == (balance + more, spent + spent_more)


@settings(derandomize=True, database=None, deadline=None)
@given(entries)
def test_only_captures_are_spending(told: list[LedgerEntry]) -> None:
    _, spent = fold(told)

    assert spent == -sum(entry.credits for entry in told if entry.kind is EntryKind.CAPTURE)
