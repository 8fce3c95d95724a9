"""The ledger closes at any moment, and takes no ticket twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.streaming.ledger import Counts, Ledger


def total(counts: Counts) -> int:
    return counts.delivered + sum(counts.dropped.values()) + counts.failed + counts.in_flight


@given(st.lists(st.tuples(st.sampled_from(["capture", "deliver", "drop", "fail"]), st.integers(0, 99))))
def test_it_closes_after_every_step(steps: list[tuple[str, int]]) -> None:
    ledger, in_flight, settled = Ledger(), [], 0
    for step, choice in steps:
        if step == "capture":
            in_flight.append(ledger.captured())
        elif in_flight:
            ticket = in_flight.pop(choice % len(in_flight))
            settled += 1
            if step == "drop":
                ledger.dropped(ticket, f"reason {choice % 3}")
            elif step == "fail":
                ledger.failed(ticket)
            else:
                ledger.delivered(ticket)
        counts = ledger.counts()
        assert counts.captured == total(counts)
        assert counts.in_flight == len(in_flight)
        assert counts.captured - counts.in_flight == settled


def test_a_ticket_is_taken_once() -> None:
    ledger = Ledger()
    ticket = ledger.captured()
    ledger.delivered(ticket)
    with pytest.raises(RuntimeError, match="settled twice"):
        ledger.dropped(ticket, "newer frame")
