"""A page on a stream whose results are written by hand: three bars of colour, which are moved from one to the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.core.errors import EdgesegError
from edgeseg.core.result import Frame, Result, Timing
from edgeseg.runtime.segmenter import load
from edgeseg.streaming.opening import open_source
from edgeseg.streaming.pipeline import Stream
from edgeseg.streaming.web.controls import ModelChoice
from edgeseg.streaming.web.sink import PageSink
from tests.streaming.web.browsing import CHROMIUM, DESKTOP, PATIENCE_MS


class Answers:
    """Controls that remember what they were asked for. `hold` keeps a switch waiting until `go` is set."""

    def __init__(self) -> None:
        self.models = (ModelChoice("nearest-colour", ("fp32",)), ModelChoice("other", ("fp32", "bf16")))
        self.recording, self.trouble = False, ""
        self.asked: list[str] = []
        self.hold, self.go = False, threading.Event()

    def switch(self, model: str, precision: str) -> str:
        self.asked.append(f"{model} {precision}")
        if self.hold:
            self.go.wait(10)
        return f"now {model} in {precision}"

    def record(self, on: bool) -> str:
        self.recording = on
        return "recording" if on else "recorded"

    def snapshot(self) -> str:
        raise EdgesegError("the disk is full: free some space")


@pytest.fixture(scope="module")
def bars_stream(bundle_folder: Path) -> Iterator[Stream]:
    source = open_source("street://?size=96x64&frames=1")
    with Stream(source, load(bundle_folder, engine="onnxruntime", threads=1), owns_segmenter=True) as stream:
        yield stream


@pytest.fixture(scope="module")
def make_bars(bars_stream: Stream, bars: np.ndarray) -> Callable[[int], Result]:
    """make_bars(index) -> the result of the bars, moved to the right by so many pixels."""

    def make(index: int) -> Result:
        now = time.monotonic_ns()
        image = np.roll(bars, index, axis=1)
        frame = Frame(image, index, now, "bars")
        segmenter = bars_stream.segmenter
        return Result(frame, segmenter(image), Timing({"engine": (now, now + 2_000_000)}, now), segmenter.engine)

    return make


@pytest.fixture
def controls() -> Answers:
    return Answers()


@pytest.fixture
def page(bars_stream: Stream, controls: Answers) -> Iterator[PageSink]:
    sink = PageSink(bars_stream, [controls], port=0)
    yield sink
    sink.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    """visit(address, size) -> a page of a new context. `said` of it: what it complained of; `outside`: foreign requests."""
    contexts = []

    def opened(address: str, size: dict[str, int] = DESKTOP) -> Any:
        context = browser.new_context(viewport=size)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.said, page.outside = [], []
        page.on("console", lambda message: page.said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.said.append(str(error)))
        own = address.partition("//")[2]
        page.on("request", lambda sent: page.outside.append(sent.url) if own not in sent.url else None)
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
