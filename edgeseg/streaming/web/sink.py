"""Results to browsers."""

from __future__ import annotations

from collections.abc import Sequence

from edgeseg.core.result import Result
from edgeseg.streaming.pipeline import Stream
from edgeseg.streaming.web.channel import Figures
from edgeseg.streaming.web.controls import Controls
from edgeseg.streaming.web.guard import Guard, listen, name_of
from edgeseg.streaming.web.server import PageServer

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8008


class PageSink:
    """Shows a stream's results to every browser that opens `address`, from a thread of its own.

    stream: whose results will be written, of all its sources, for its counts and its model. controls: who answers the page's
    buttons, one for each source; empty: it only shows.
    host: a loopback address shows to this machine alone; any other needs the random token that stands in `address` then.
    port: 0 takes any free one. figures: more for the page to show of each source, asked twice a second for each viewer.
    Raises SinkError where the address can't be listened on.
    """

    def __init__(
        self,
        stream: Stream,
        controls: Sequence[Controls] = (),
        *,
        host: str = DEFAULT_HOST,
        port: int = DEFAULT_PORT,
        figures: Sequence[Figures] = (),
    ) -> None:
        self._stream = stream
        guard = Guard(host)
        listening = listen(host, port)
        token = f"{guard.token}/" if guard.token else ""
        self.address = f"http://{name_of(host)}:{listening.getsockname()[1]}/{token}"
        self._server = PageServer(listening, guard, stream, controls, figures)

    def write(self, result: Result) -> None:
        """Leaves the result for whoever looks. Nothing is encoded here, and nothing at all while nobody looks."""
        self._server.channels[result.lane].feed.offer(result, self._stream.segmenter.bundle)

    def close(self) -> str:
        """Tells every viewer that it is over and ends the page's threads. Nothing of it stays. May be called twice."""
        self._server.close()
        return ""
