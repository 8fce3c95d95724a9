"""Ctrl-C and a service manager's stop, as a wish that a run fulfils at its next frame."""

from __future__ import annotations

import signal
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopWish:
    """Hears SIGINT and SIGTERM inside its block. asked: whether one came.

    Until `grant_by` says how to stop, a signal is a KeyboardInterrupt, as ever. From then on the first one is a wish, granted by
    a thread of its own, and only a second one is a KeyboardInterrupt. Only the main thread may open the block.

    A KeyboardInterrupt strikes between any two steps of the main thread. Where that is a callback from C (LLVM reading a
    compiled kernel, a destructor), it is printed and lost, and the run would go on for ever; where it is the step behind
    taking a lock, the lock is never given back.
    """

    def __init__(self) -> None:
        self.asked = False
        self._granted = False
        # Its put may interrupt its own put or get, as a signal handler does; a Condition's or an Event's methods may not.
        self._wishes: SimpleQueue[bool] = SimpleQueue()
        self._watch: Thread | None = None

    def grant_by(self, stop: Callable[[], None]) -> None:
        """From now on a signal calls this, at once if there was one already whose KeyboardInterrupt was lost."""

        def watch() -> None:
            if self._wishes.get():
                stop()

        self._watch = Thread(target=watch, name="edgeseg-stop", daemon=True)
        self._watch.start()
        self._granted = True
        if self.asked:
            self._wishes.put(True)

    def __enter__(self) -> StopWish:
        # What the shell ignores (SIGINT, of a job in the background) stays ignored.
        heard = [number for number in SIGNALS if callable(signal.getsignal(number))]
        self._before = {number: signal.signal(number, self._hear) for number in heard}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._watch is not None:
            self._wishes.put(False)
            self._watch.join()

    def _hear(self, number: int, frame: FrameType | None) -> None:
        first, self.asked = not self.asked, True
        if not (first and self._granted):
            raise KeyboardInterrupt
        self._wishes.put(True)
