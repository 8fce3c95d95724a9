"""Where the results of a run go: opens the sinks and publishers that the options name."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edgeseg.core.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from edgeseg.cli.lane import LaneRun
    from edgeseg.cli.session import Session
    from edgeseg.runtime.switching import SwitchableSegmenter
    from edgeseg.streaming.sink import Sink
    from edgeseg.streaming.sinks.window import WindowSink
    from edgeseg.streaming.web.keeper import Keeper

NUMBER = "{n}"
"""In a name: the number of the source, from 0, where there are several."""


class Asked(Protocol):
    """The options of `edgeseg run` that say where results go; what they mean stands there, in `edgeseg.cli.run.Run`."""

    @property
    def source(self) -> tuple[str, ...]: ...
    @property
    def page(self) -> bool: ...
    @property
    def host(self) -> str | None: ...
    @property
    def port(self) -> int | None: ...
    @property
    def view(self) -> bool: ...
    @property
    def output(self) -> Path | None: ...
    @property
    def masks(self) -> Path | None: ...
    @property
    def publish(self) -> tuple[str, ...]: ...
    @property
    def record(self) -> Path | None: ...
    @property
    def classes(self) -> str | None: ...


def open_ways_out(run: Asked, session: Session, console: Console) -> None:
    """Opens what the options of `edgeseg run` name, for every source. Raises UsageError, SinkError."""
    _check(run, several=len(session.lanes) > 1)
    for number, lane in enumerate(session.lanes):
        lane.sinks = _sinks(run, lane, number, session, console)
        _open_publishers(run, lane, number, session, console)


def open_page(run: Asked, session: Session, segmenter: SwitchableSegmenter, threads: int, console: Console) -> None:
    """Serves one page for all sources, with their buttons, and opens it in a browser where it shows something live."""
    import webbrowser

    from edgeseg.streaming.sinks.window import window_reason
    from edgeseg.streaming.web.run_controls import RunControls
    from edgeseg.streaming.web.sink import DEFAULT_HOST, DEFAULT_PORT, PageSink

    several = len(session.lanes) > 1
    keepers = [_keeper(lane, f"edgeseg-{n}" if several else "edgeseg") for n, lane in enumerate(session.lanes)]
    page = PageSink(
        session.results,
        [RunControls(segmenter, keeper, threads=threads) for keeper in keepers],
        host=run.host or DEFAULT_HOST,
        port=DEFAULT_PORT if run.port is None else run.port,
        figures=[lane.live_truth for lane in session.lanes],
    )
    for lane, keeper in zip(session.lanes, keepers, strict=True):
        # The page first: on closing, its buttons must end before what they press.
        lane.sinks += [page, keeper]
    console.print(f"page: {page.address}")
    if any(lane.source.live for lane in session.lanes) and run.view and not window_reason():
        # Where no browser can be, the address was printed.
        with contextlib.suppress(webbrowser.Error):
            webbrowser.open(page.address)


def _keeper(lane: LaneRun, name: str) -> Keeper:
    """What the page's buttons keep of one source, in the folder that edgeseg was started in."""
    from edgeseg.streaming.sinks.mp4 import Mp4Sink
    from edgeseg.streaming.sinks.still import StillSink
    from edgeseg.streaming.web.keeper import Keeper

    return Keeper(
        Path(),
        lambda path: Mp4Sink(path, lane.painter, fps=_fps(lane)),
        lambda path: StillSink(path, lane.painter),
        name,
    )


def _check(run: Asked, *, several: bool) -> None:
    if run.classes is not None and not run.publish and run.record is None:
        raise UsageError("--classes names what --publish and --record hand on: give one of them too")
    if (run.host is not None or run.port is not None) and not run.page:
        raise UsageError("--host and --port say where the page is: give --page too")
    if not several:
        return
    named = {"--output": run.output, "--masks": run.masks, "--record": run.record}
    named |= {f"--publish {uri}": uri for uri in run.publish}
    for option, value in named.items():
        if value is not None and NUMBER not in str(value):
            raise UsageError(
                f"{option}: with several sources, put {NUMBER} into the name, where each one's number is to stand"
            )


def _sinks(run: Asked, lane: LaneRun, number: int, session: Session, console: Console) -> list[Sink]:
    """A run without a source that nobody would see is recorded."""
    output, still = _numbered(run.output, number), None
    window = None if run.page else _window(run, lane, number, session, console)
    kept = run.output or run.masks or run.publish or run.record or run.page
    if not run.source and window is None and not kept:
        kind = "street" if lane.source.address.startswith("street://") else "camera"
        output, still = Path(f"edgeseg-{kind}.mp4"), Path(f"edgeseg-{kind}.png")
    sinks: list[Sink] = [window] if window else []
    if output is not None:
        from edgeseg.streaming.sinks.mp4 import Mp4Sink

        sinks.append(Mp4Sink(output, lane.painter, fps=_fps(lane)))
    if still is not None:
        from edgeseg.streaming.sinks.still import StillSink

        sinks.append(StillSink(still, lane.painter))
    masks = _numbered(run.masks, number)
    if masks is not None:
        from edgeseg.streaming.sinks.masks import MasksSink

        sinks.append(MasksSink(masks, session.results.segmenter.bundle.palette))
    return sinks


def _open_publishers(run: Asked, lane: LaneRun, number: int, session: Session, console: Console) -> None:
    """Opens the ways out of the process, each beside the loop."""
    from edgeseg.streaming.publish.publishing import open_publisher, open_recorder

    bundle = session.results.segmenter.bundle
    names = None if run.classes is None else [name.strip() for name in run.classes.split(",")]
    for uri in run.publish:
        at = uri.replace(NUMBER, str(number))
        publisher = open_publisher(at, bundle, lane.source.address, lane.vitals, console.print, names)
        lane.publishers.append(publisher)
        console.print(f"publishing on {publisher.address}")
    record = _numbered(run.record, number)
    if record is not None:
        recorder = open_recorder(record, bundle, lane.vitals, console.print, names, live=lane.source.live)
        lane.publishers.append(recorder)


def _window(run: Asked, lane: LaneRun, number: int, session: Session, console: Console) -> WindowSink | None:
    from edgeseg.streaming.sinks.window import WindowSink, window_reason

    if not run.view:
        return None
    reason = window_reason()
    if reason:
        if number == 0:
            console.print(f"no window: {reason}", style="dim")
        return None
    return WindowSink(
        "edgeseg" if len(session.lanes) == 1 else f"edgeseg {number}: {lane.source.address}", lane.painter
    )


def _numbered(path: Path | None, number: int) -> Path | None:
    return None if path is None else Path(str(path).replace(NUMBER, str(number)))


def _fps(lane: LaneRun) -> float | None:
    return None if lane.source.live else getattr(lane.source, "fps", None)
