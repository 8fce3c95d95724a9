"""A stop that strikes at the worst moment is a stop all the same."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeseg.cli import main
from edgeseg.cli.lane import LaneRun
from edgeseg.cli.stopping import StopWish
from edgeseg.core.result import Result

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@ctypes.CFUNCTYPE(None)
def interrupted_callback() -> None:
    """Is called from C, where an exception goes nowhere: LLVM calls back like this while a kernel is compiled."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0)


@pytest.fixture
def terminable() -> Iterator[None]:
    """SIGTERM as `edgeseg` has it from its start."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_stop_inside_a_callback_from_c_ends_the_run(bundle_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    take = LaneRun.take

    def take_and_be_stopped(lane: LaneRun, result: Result) -> bool:
        taken.append(result)
        if len(taken) == 3:
            interrupted_callback()
        return take(lane, result)

    monkeypatch.setattr(LaneRun, "take", take_and_be_stopped)
    # 200 frames: a stop that was lost would let them all pass, instead of hanging this test.
    arguments = ["run", "street://?size=160x96&frames=200", "--model", str(bundle_folder), "--no-view", "--page"]
    assert main([*arguments, "--port", "0"]) == 130
    assert len(taken) == 3


def test_the_first_stop_is_a_wish_and_the_second_an_interrupt(terminable: None) -> None:
    granted = threading.Event()
    with pytest.raises(KeyboardInterrupt), StopWish() as wish:
        wish.grant_by(granted.set)
        assert not wish.asked
        signal.raise_signal(signal.SIGTERM)
        assert wish.asked
        assert granted.wait(10)
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_was_lost_before_anything_could_stop_is_granted_later(terminable: None) -> None:
    granted = threading.Event()
    with StopWish() as wish:
        interrupted_callback()  # its KeyboardInterrupt goes nowhere
        wish.grant_by(granted.set)
        assert granted.wait(10)
    with pytest.raises(KeyboardInterrupt), StopWish():
        signal.raise_signal(signal.SIGTERM)


def test_what_the_shell_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopWish() as wish:
            signal.raise_signal(signal.SIGINT)
            assert not wish.asked
    finally:
        signal.signal(signal.SIGINT, before)
