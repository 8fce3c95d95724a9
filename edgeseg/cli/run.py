"""`edgeseg run`"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from edgeseg.cli.clashes import refuse_clashes
from edgeseg.cli.output import check_json_file, console_beside, write_json
from edgeseg.core.errors import BundleError, EdgesegError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from edgeseg.cli.session import Session
    from edgeseg.cli.stopping import StopWish
    from edgeseg.core.bundle import Bundle
    from edgeseg.vision.background import Background

INTERRUPTED = 130
STREET = "street://?seed=1"


@dataclass(frozen=True)
class Run:
    """Segment a camera, a stream, a clip or a folder of images, live."""

    source: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")] = ()
    """A camera index, a file, a folder or glob of images, rtsp://, http://, v4l2:///dev/video0, gst:PIPELINE, street://,
    fault://. Several share the engine in turn. Without one: camera 0 if there is one, else 20 s of the built-in street, and it
    says which."""

    model: Annotated[str, tyro.conf.arg(metavar="NAME|PATH")] = "deeplabv3plus-mobilenetv2-street"
    """A model's name or folder (see `edgeseg models`)."""

    engine: str = "auto"
    """auto, tensorrt, openvino, onnxruntime."""

    precision: str = "auto"
    """auto, fp32, bf16, fp16, int8."""

    page: bool = False
    """Serve a live page for browsers: picture, masks, charts, switches; several sources as tiles. Its address is printed."""

    host: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None
    """Where the page listens: this machine alone unless given; 0.0.0.0 for all its networks, then with a token."""

    port: Annotated[int | None, tyro.conf.arg(metavar="PORT")] = None
    """The page's port, 8008 unless given; 0 takes any free one."""

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
    ?size=640x360 or ?size=network behind it makes the masks smaller."""

    record: Annotated[Path | None, tyro.conf.arg(metavar="FILE.mcap")] = None
    """Record picture, masks, timing and health for Foxglove: FILE.mcap."""

    classes: Annotated[str | None, tyro.conf.arg(metavar="NAME[,NAME]")] = None
    """The classes that --publish and --record hand on; pixels of all others get the model's ignore id."""

    max_frames: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Stop after so many delivered frames."""

    json: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the figures as one JSON object to this file ("-" for standard output)."""

    def execute(self) -> int:
        """Plays the sources to their end, or until Ctrl-C, and prints what it came to. Returns the exit status."""
        from edgeseg.cli.session import Session
        from edgeseg.cli.stopping import StopWish
        from edgeseg.cli.ways_out import open_page, open_ways_out
        from edgeseg.core.catalog import open_bundle
        from edgeseg.runtime.cpu import usable_cores
        from edgeseg.runtime.segmenter import load
        from edgeseg.runtime.switching import SwitchableSegmenter
        from edgeseg.streaming.opening import open_source
        from edgeseg.streaming.pipeline import Stream

        check_json_file(self.json)
        written = {"--output": self.output, "--masks": self.masks, "--record": self.record, "--json": self.json}
        refuse_clashes([*self.source, self.background or ""], written, pictures_alone=True)
        if self.max_frames is not None and self.max_frames < 1:
            raise UsageError(f"--max-frames {self.max_frames}: give 1 or more")
        console = console_beside(self.json)
        bundle = open_bundle(self.model)
        addresses = self.source or (_default_source(console, without_end=self.page),)
        backgrounds = [self._open_background(bundle) for _ in addresses] if self.background or self.keep else None
        with contextlib.ExitStack() as stack:
            wish = stack.enter_context(StopWish())
            sources = [stack.enter_context(open_source(address)) for address in addresses]
            threads = max(1, usable_cores() - 1) if any(source.live for source in sources) else usable_cores()
            opened = load(bundle.path, engine=self.engine, precision=self.precision, threads=threads)
            segmenter = stack.enter_context(SwitchableSegmenter(opened))
            session = Session(Stream(sources, segmenter), console, backgrounds)
            stack.callback(session.close)
            wish.grant_by(session.results.stop)
            open_ways_out(self, session, console)
            if self.page:
                open_page(self, session, segmenter, threads, console)
            info, asked = segmenter.engine, ", ".join(source.address for source in sources)
            console.print(
                f"{bundle.name} on {asked}: {info.name} {info.precision}, {info.threads} threads ({info.reason})"
            )
            return self._play(session, wish)

    def _play(self, session: Session, wish: StopWish) -> int:
        failure = None
        try:
            session.play(self.max_frames)
        except KeyboardInterrupt:
            pass  # asked for twice: not even the next frame is waited for
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
        return INTERRUPTED if wish.asked else 0

    def _open_background(self, bundle: Bundle) -> Background:
        if self.background is None:
            raise UsageError("--keep names what stays in front: give --background too")
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


def _default_source(console: Console, *, without_end: bool) -> str:
    from edgeseg.streaming.sources.camera import cameras

    found = cameras()
    if found:
        console.print(f"no source given: camera {found[0]}")
        return found[0]
    if without_end:
        console.print("no source given and no camera here: the built-in street")
        return STREET
    console.print("no source given and no camera here: 20 s of the built-in street")
    return f"{STREET}&frames=600"
