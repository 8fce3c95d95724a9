"""`edgeseg run`"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from edgeseg.cli.output import check_json_file, console_beside, write_json
from edgeseg.core.errors import BundleError, EdgesegError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from edgeseg.cli.session import Session
    from edgeseg.core.bundle import Bundle
    from edgeseg.streaming.sink import Sink
    from edgeseg.streaming.source import Source
    from edgeseg.vision.background import Background

INTERRUPTED = 130
DEMO = "street://?seed=1&frames=600"


@dataclass(frozen=True)
class Run:
    """Segment a camera, a stream, a clip or a folder of images, live."""

    source: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")] = None
    """A camera index, a file, a folder or glob of images, rtsp://, http://, v4l2:///dev/video0, gst:PIPELINE, street://,
    fault://. Without one: camera 0 if there is one, else 20 s of the built-in street, and it says which."""

    model: Annotated[str, tyro.conf.arg(metavar="NAME|PATH")] = "fast-scnn-street"
    """A model's name or folder (see `edgeseg models`)."""

    engine: str = "auto"
    """auto, openvino, onnxruntime."""

    precision: str = "auto"
    """auto, fp32, bf16, fp16, int8."""

    view: bool = True
    """Show a window, where there is a display."""

    output: Annotated[Path | None, tyro.conf.arg(metavar="FILE.mp4")] = None
    """Record the painted pictures: FILE.mp4."""

    background: Annotated[str | None, tyro.conf.arg(metavar="blur|COLOUR|FILE")] = None
    """Blur what is behind, or put a colour ('#00ff00') or a picture there, instead of colouring the classes. All classes but
    "background" stay in front, or those that --keep names."""

    keep: Annotated[str | None, tyro.conf.arg(metavar="NAME[,NAME]")] = None
    """The classes that stay in front of the --background."""

    masks: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Write every label map as a palette PNG (instances as COCO run-length JSON lines) into this folder."""

    publish: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="URI")] = ()
    """Hand masks on while it runs: ros2://TOPIC, zenoh://KEY, shm://NAME, foxglove://[HOST:PORT]; may be given several times.
    ?size=640x360 behind it makes the masks smaller."""

    record: Annotated[Path | None, tyro.conf.arg(metavar="FILE.mcap")] = None
    """Record picture, masks, timing and health for Foxglove: FILE.mcap."""

    classes: Annotated[str | None, tyro.conf.arg(metavar="NAME[,NAME]")] = None
    """The classes that --publish and --record hand on; pixels of all others get the model's ignore id."""

    max_frames: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Stop after so many delivered frames."""

    json: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the figures as one JSON object to this file ("-" for standard output)."""

    def execute(self) -> int:
        """Plays the source to its end, or until Ctrl-C, and prints what it came to. Returns the exit status."""
        from edgeseg.cli.session import Session
        from edgeseg.core.catalog import open_bundle
        from edgeseg.runtime.cpu import usable_cores
        from edgeseg.runtime.segmenter import load
        from edgeseg.streaming.opening import open_source
        from edgeseg.streaming.pipeline import Stream

        check_json_file(self.json)
        if self.max_frames is not None and self.max_frames < 1:
            raise UsageError(f"--max-frames {self.max_frames}: give 1 or more")
        console = console_beside(self.json)
        bundle = open_bundle(self.model)
        background = self._open_background(bundle)
        with contextlib.ExitStack() as stack:
            source = open_source(self.source if self.source is not None else _default_source(console))
            stack.callback(source.close)
            threads = max(1, usable_cores() - 1) if source.live else usable_cores()
            segmenter = load(bundle.path, engine=self.engine, precision=self.precision, threads=threads)
            stack.enter_context(segmenter)
            session = Session(Stream(source, segmenter), console, background)
            stack.callback(session.close)
            self._open_sinks(session, source, bundle, console)
            self._open_publishers(session, source, bundle, console)
            info = segmenter.engine
            console.print(
                f"{bundle.name} on {source.address}: {info.name} {info.precision}, {info.threads} threads ({info.reason})"
            )
            return self._play(session)

    def _play(self, session: Session) -> int:
        interrupted, failure = False, None
        try:
            session.play(self.max_frames)
        except KeyboardInterrupt:
            interrupted = True
        except EdgesegError as error:
            failure = error
        try:
            session.close()
        except EdgesegError as error:
            failure = failure or error
        session.report()
        write_json(self.json, session.figures())
        if failure is not None:
            raise failure
        return INTERRUPTED if interrupted else 0

    def _open_sinks(self, session: Session, source: Source, bundle: Bundle, console: Console) -> None:
        """Opens what the options name; a run without a source that nobody would see is recorded."""
        output, still = self.output, None
        window = self._window_sink(session, console)
        if self.source is None and window is None and output is None and self.masks is None and not self._leaves:
            kind = "street" if source.address.startswith("street://") else "camera"
            output, still = Path(f"edgeseg-{kind}.mp4"), Path(f"edgeseg-{kind}.png")
        sinks: list[Sink] = [window] if window else []
        if output is not None:
            from edgeseg.streaming.sinks.mp4 import Mp4Sink

            sinks.append(Mp4Sink(output, session.painter, fps=None if source.live else getattr(source, "fps", None)))
        if still is not None:
            from edgeseg.streaming.sinks.still import StillSink

            sinks.append(StillSink(still, session.painter))
        if self.masks is not None:
            from edgeseg.streaming.sinks.masks import MasksSink

            sinks.append(MasksSink(self.masks, bundle.palette))
        session.sinks = sinks

    def _open_publishers(self, session: Session, source: Source, bundle: Bundle, console: Console) -> None:
        """Opens the ways out of the process, each beside the loop."""
        from edgeseg.streaming.publishing import open_publisher, open_recorder

        if self.classes is not None and not self.publish and self.record is None:
            raise UsageError("--classes names what --publish and --record hand on: give one of them too")
        names = None if self.classes is None else [name.strip() for name in self.classes.split(",")]
        for uri in self.publish:
            publisher = open_publisher(uri, bundle, source.address, session.vitals, console.print, names)
            session.publishers.append(publisher)
            console.print(f"publishing on {publisher.address}")
        if self.record is not None:
            session.publishers.append(
                open_recorder(self.record, bundle, session.vitals, console.print, names, live=source.live)
            )

    @property
    def _leaves(self) -> bool:
        """Whether somebody outside gets the masks."""
        return bool(self.publish or self.record)

    def _open_background(self, bundle: Bundle) -> Background | None:
        if self.background is None:
            if self.keep is not None:
                raise UsageError("--keep names what stays in front: give --background too")
            return None
        from edgeseg.vision.background import BEHIND, Background, in_front

        keep = None if self.keep is None else tuple(name.strip() for name in self.keep.split(","))
        if keep is None and BEHIND not in bundle.classes:
            able = _models_with(BEHIND)
            other = f", or take --model {' or '.join(able)}" if able else ""
            raise UsageError(
                f"{bundle.name} has no class {BEHIND!r}: name what stays in front with --keep "
                f"({', '.join(bundle.classes)}){other}"
            )
        in_front(bundle.classes, keep)
        return Background(self.background, keep, steady=True)

    def _window_sink(self, session: Session, console: Console) -> Any:
        from edgeseg.streaming.sinks.window import WindowSink, window_reason

        if not self.view:
            return None
        reason = window_reason()
        if reason:
            console.print(f"no window: {reason}", style="dim")
            return None
        return WindowSink("edgeseg", session.painter)


def _models_with(name: str) -> list[str]:
    """The models in reach that have a class of this name."""
    from edgeseg.core.bundle import Bundle
    from edgeseg.core.catalog import catalog

    able = []
    for model, path in sorted(catalog().items()):
        with contextlib.suppress(BundleError):
            if name in Bundle.open(path).classes:
                able.append(model)
    return able


def _default_source(console: Console) -> str:
    from edgeseg.streaming.sources.camera import cameras

    found = cameras()
    if found:
        console.print(f"no source given: camera {found[0]}")
        return found[0]
    console.print("no source given and no camera here: 20 s of the built-in street")
    return DEMO
