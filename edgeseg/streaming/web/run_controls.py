"""The controls of `edgeseg run`: the running loop's model, and what it keeps."""

from __future__ import annotations

from edgeseg.runtime.segmenter import load
from edgeseg.runtime.switching import SwitchableSegmenter, alternatives
from edgeseg.streaming.web.controls import ModelChoice
from edgeseg.streaming.web.keeper import Keeper


class RunControls:
    """See `Controls`. segmenter: what the stream runs. keeper: one of the run's sinks. threads: for engines opened later."""

    def __init__(self, segmenter: SwitchableSegmenter, keeper: Keeper, *, threads: int | None = None) -> None:
        self._segmenter, self._keeper, self._threads = segmenter, keeper, threads
        # Asked once: which models there are is read from disk.
        self.models = tuple(ModelChoice(*choice) for choice in alternatives(segmenter.bundle).items())

    @property
    def recording(self) -> bool:
        return self._keeper.recording

    @property
    def trouble(self) -> str:
        return self._keeper.trouble

    def switch(self, model: str, precision: str) -> str:
        current = self._segmenter.bundle
        opened = load(current.path if model == current.name else model, precision=precision, threads=self._threads)
        self._segmenter.switch(opened)
        return f"now {model} in {opened.engine.precision} on {opened.engine.name}"

    def record(self, on: bool) -> str:
        return self._keeper.record(on)

    def snapshot(self) -> str:
        return self._keeper.snapshot()
