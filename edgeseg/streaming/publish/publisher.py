"""A place outside the process that results go to, beside the loop: nothing that happens there slows it down."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Any, Protocol

from edgeseg.core.errors import SinkError
from edgeseg.core.result import Result
from edgeseg.streaming.health import Health, Vitals
from edgeseg.streaming.outgoing import Outbox, Outgoing
from edgeseg.streaming.slot import Slot, SlotClosed

BEAT_SECONDS = 1.0
JOIN_SECONDS = 10.0


class ReceiverBusy(Exception):
    """A receiver holds this result up: it is given up and counted as missed; the next one is tried."""


class Channel(Protocol):
    """A way out of the process. Its methods are called by one thread at a time, not by the loop's.

    address: what the user called it.
    """

    address: str

    def send(self, outgoing: Outgoing) -> None:
        """Hands one result on. Raises ReceiverBusy where it can't now, SinkError once this channel can take no more."""
        ...

    def beat(self, health: Health) -> None:
        """Hands a heartbeat on, once a second, also where no result comes. Raises likewise."""
        ...

    def close(self) -> str:
        """Lets go of everything, also after an error. Returns the file that was written, "" without one."""
        ...


class Publisher:
    """A sink whose `write` only lays the result into a slot; a thread of its own takes it from there to the channel.

    A result that the channel was too busy for is missed and counted, where `newest_wins`; else `write` waits for it. An
    error ends the publisher, not the loop: it is said once, stands in the health of the channel, and `close` raises it.
    say: takes a line for people.
    """

    def __init__(
        self, channel: Channel, outbox: Outbox, vitals: Vitals, say: Callable[[str], None], *, newest_wins: bool = True
    ) -> None:
        self._channel, self._outbox, self._vitals, self._say = channel, outbox, vitals, say
        self._slot: Slot[Result] = Slot(newest_wins=newest_wins)
        self._taken = self._published = self._missed = 0
        self._error: Exception | None = None
        self._one_at_a_time = Lock()
        self._ended = Event()
        self._place: str | None = None
        self._worker = Thread(target=self._work, name="edgeseg-publish", daemon=True)
        self._heart = Thread(target=self._beat, name="edgeseg-heartbeat", daemon=True)
        self._worker.start()
        self._heart.start()

    @property
    def address(self) -> str:
        """What this publisher is called, fit to be shown."""
        return self._channel.address

    def write(self, result: Result) -> None:
        """Leaves a result for the channel."""
        if self._slot.put(result) is not None:
            self._missed += 1

    def close(self) -> str:
        """Hands the last result and a last heartbeat on, ends the threads, and returns the file that was written."""
        if self._place is not None:
            return self._place
        self._place = ""
        self._slot.close()
        self._ended.set()
        self._heart.join(JOIN_SECONDS)
        self._worker.join(JOIN_SECONDS)
        if self._worker.is_alive() or self._heart.is_alive():
            raise SinkError(f"{self._channel.address} hangs and was left behind: is its receiver stopped?")
        if self._error is None:
            self._did(lambda: self._channel.beat(self.health()))
        self._place = self._channel.close()
        if self._error is not None:
            raise self._error
        return self._place

    def health(self) -> Health:
        """Returns how the stream and this channel are."""
        error = str(self._error) if self._error else ""
        return self._vitals.health(published=self._published, missed=self._missed, error=error)

    def figures(self) -> dict[str, Any]:
        """Returns what became of the results, for `run --json`: address, published, missed, error."""
        error = str(self._error) if self._error else ""
        return {
            "address": self.address,
            "published": self._published,
            "missed": self._missed,
            "error": error,
        }

    def _work(self) -> None:
        with contextlib.suppress(SlotClosed):
            while True:
                self._send_next(self._slot.get())

    def _send_next(self, result: Result) -> None:
        self._taken += 1
        if self._did(lambda: self._channel.send(self._outbox(result, self._taken))):
            self._published += 1
        else:
            self._missed += 1

    def _beat(self) -> None:
        while self._error is None and not self._ended.wait(BEAT_SECONDS):
            self._did(lambda: self._channel.beat(self.health()))

    def _did(self, work: Callable[[], None]) -> bool:
        try:
            with self._one_at_a_time:
                work()
        except ReceiverBusy:
            return False
        except Exception as error:  # noqa: BLE001, it belongs to the caller's thread and is raised there, by `close`
            self._error = error
            self._slot.abandon()
            self._say(f"{error}; the loop goes on")
            return False
        return True
