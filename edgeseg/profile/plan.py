"""What a profile does, step by step; each step's value goes into the journal, and rows are made of that.

In each round every row has its turn before the next round begins, so that a machine that drifts (warms up, is shared) hurts
all alike. What is measured once of a row comes with its first turn, so that an interrupted profile has whole rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import EngineError
from edgeseg.profile.assembly import Once, Setting, build_row
from edgeseg.profile.candidates import Candidate
from edgeseg.profile.clip import ClipSource
from edgeseg.profile.flicker import FRAMES, measure_flicker
from edgeseg.profile.journal import Journal
from edgeseg.profile.judging import Judged, Labelled, judged
from edgeseg.profile.network import count_network
from edgeseg.profile.robustness import STRENGTHS, measure_robustness
from edgeseg.profile.roofline import measure_bandwidth, measure_peak
from edgeseg.profile.rows import Row
from edgeseg.profile.start import measure_start
from edgeseg.profile.sustained import measure_sustained
from edgeseg.profile.timing import Pace, Turn, take_turn
from edgeseg.runtime.choose import choose
from edgeseg.runtime.cpu import usable_cores
from edgeseg.runtime.semantic import SemanticSegmenter

ROBUST_IMAGES = 20
TURN_SECONDS, ONCE_SECONDS = 2.6, 12.0
"""What a turn takes beside its measurements, and a row beside its turns; roughly."""
WHOLE_SECONDS = 720.0
ROWS_OF_THREE_ROUNDS = 30
"""With more rows a third round would make it longer than a quarter of an hour."""

Progress = Callable[[float], object]
"""Called with the share of a step that is done, 0..1."""


def rounds_for(rows: int) -> int:
    """Returns how many turns each of so many rows has: three, or two where there are many."""
    return 3 if rows <= ROWS_OF_THREE_ROUNDS else 2


def seconds_for(rows: int, rounds: int) -> float:
    """Returns how long each measurement may last (1 to 3 s) so that a profile of so many rows takes some twelve minutes."""
    left = WHOLE_SECONDS / rows - ONCE_SECONDS - rounds * TURN_SECONDS
    return round(min(3.0, max(1.0, left / (3.5 * rounds))), 1)


@dataclass(frozen=True)
class Step:
    """Something to measure. key: in the journal. title: for people. seconds: about how long it takes."""

    key: str
    title: str
    seconds: float
    run: Callable[[Progress], Any]


@dataclass(frozen=True)
class Plan:
    """candidates: the rows. pace: how they take turns. labelled: what they are judged on. rounds: how often each has its turn.
    still: the picture that every row answers for the report, uint8 [H, W, 3] BGR. folder: for files in between. sustained:
    seconds of the long run, None for none. robustness: whether to look at corrupted images and flicker.
    """

    candidates: Sequence[Candidate]
    pace: Pace
    labelled: Labelled
    rounds: int
    still: NDArray[np.uint8]
    folder: Path
    sustained: float | None = None
    robustness: bool = False

    def steps(self) -> Iterator[Step]:
        """Yields everything to measure, in order."""
        yield Step("bandwidth", "memory bandwidth", 2, lambda progress: measure_bandwidth())
        kinds = dict.fromkeys((each.choice.engine, each.choice.precision) for each in self.candidates)
        for number in range(self.rounds):
            for engine, precision in kinds:
                yield Step(
                    _peak(number, engine, precision),
                    f"peak of {engine} {precision}",
                    1.5,
                    lambda progress, engine=engine, precision=precision: self._peak(engine, precision),
                )
            for candidate in self.candidates:
                if number == 0:
                    yield from self._once(candidate)
                yield Step(
                    _turn(number, candidate),
                    f"{candidate.id}, round {number + 1} of {self.rounds}",
                    3.5 * self.pace.seconds + TURN_SECONDS,
                    lambda progress, candidate=candidate: self._turn(candidate, progress),
                )
        yield from self._long_steps()

    def row(self, candidate: Candidate, journal: Journal, setting: Setting) -> Row | None:
        """Returns a row as far as it was measured; None before its first turn."""
        name, choice = candidate.id, candidate.choice
        turns = [turn for number in range(self.rounds) if (turn := journal.get(_turn(number, candidate)))]
        if not turns:
            return None
        peaks = [journal.get(_peak(number, choice.engine, choice.precision)) for number in range(self.rounds)]
        once: Once = {
            "judged": journal.get(f"judged {name}"),
            "start": journal.get(f"start {name}"),
            "network": journal.get(f"network {name}"),
            "peak_gflops": max(filter(None, peaks), default=None),
            "bandwidth_gbs": journal.get("bandwidth"),
            "sustained": journal.get(f"sustained {name}"),
            "robustness": journal.get(f"robustness {name}"),
            "flicker": journal.get(f"flicker {name}"),
        }
        return build_row(candidate.bundle, turns, once, setting)

    def _turn(self, candidate: Candidate, progress: Progress) -> Turn:
        with candidate.open(usable_cores()) as segmenter:
            return take_turn(segmenter, lambda: candidate.open(max(1, usable_cores() - 1)), self.pace, progress)

    def _peak(self, engine: str, precision: str) -> float | None:
        """The engine may hold a model in a precision and not hold this one; then there is no peak to compare with."""
        try:
            return measure_peak(engine, precision, usable_cores(), self.folder)
        except EngineError:
            return None

    def _once(self, candidate: Candidate) -> Iterator[Step]:
        name, bundle, choice = candidate.id, candidate.bundle, candidate.choice
        graph = bundle.file(bundle.graphs["fp32" if "fp32" in bundle.graphs else choice.graph])
        yield Step(f"network {name}", f"{name}, counted", 1, lambda progress: count_network(graph, choice.precision))
        yield Step(
            f"start {name}",
            f"{name}, a fresh start",
            4,
            lambda progress: measure_start(bundle.path.resolve(), choice.engine, choice.precision, usable_cores()),
        )
        judging = len(found[2]) if (found := self.labelled.of(bundle)) else 0
        yield Step(
            f"judged {name}", f"{name}, judged", 2 + 0.1 * judging, lambda progress: self._judged(candidate, progress)
        )

    def _long_steps(self) -> Iterator[Step]:
        for candidate in self._typical() if self.robustness else ():
            yield Step(
                f"robustness {candidate.id}",
                f"{candidate.id}, worse images",
                ROBUST_IMAGES * (1 + 5 * len(STRENGTHS)) * 0.03,
                lambda progress, candidate=candidate: self._robustness(candidate, progress),
            )
            yield Step(
                f"flicker {candidate.id}",
                f"{candidate.id}, flicker",
                6,
                lambda progress, candidate=candidate: self._flicker(candidate, progress),
            )
        for candidate in self.candidates if self.sustained else ():
            yield Step(
                f"sustained {candidate.id}",
                f"{candidate.id}, sustained",
                self.sustained or 0.0,
                lambda progress, candidate=candidate: self._sustained(candidate, progress),
            )

    def _typical(self) -> list[Candidate]:
        """One row a semantic model: the one that `run` takes by itself, or the first."""
        chosen: dict[str, Candidate] = {}
        for candidate in self.candidates:
            usual = choose(candidate.bundle)
            taken = (candidate.choice.engine, candidate.choice.precision) == (usual.engine, usual.precision)
            if candidate.bundle.task == "semantic" and (taken or candidate.bundle.name not in chosen):
                chosen[candidate.bundle.name] = candidate
        return list(chosen.values())

    def _judged(self, candidate: Candidate, progress: Progress) -> Judged:
        found = self.labelled.of(candidate.bundle)
        count = len(found[2]) if found else 1
        with candidate.open(usable_cores()) as segmenter:
            return judged(segmenter, self.labelled, self.still, lambda done: progress(done / count))

    def _robustness(self, candidate: Candidate, progress: Progress) -> Any:
        found = self.labelled.some(candidate.bundle, ROBUST_IMAGES)
        if found is None:
            return None
        with candidate.open(usable_cores()) as segmenter:
            assert isinstance(segmenter, SemanticSegmenter)
            return measure_robustness(segmenter, found, lambda done: progress(done / len(found)))

    def _flicker(self, candidate: Candidate, progress: Progress) -> Any:
        with candidate.open(usable_cores()) as segmenter:
            assert isinstance(segmenter, SemanticSegmenter)
            return measure_flicker(segmenter, progress=lambda done: progress(done / FRAMES))

    def _sustained(self, candidate: Candidate, progress: Progress) -> Any:
        seconds = self.sustained or 0.0
        with candidate.open(usable_cores()) as segmenter:
            source = ClipSource(self.pace.clip, seconds)
            return measure_sustained(segmenter, source, seconds, lambda passed: progress(passed / seconds))


def _peak(number: int, engine: str, precision: str) -> str:
    return f"peak {number} {engine} {precision}"


def _turn(number: int, candidate: Candidate) -> str:
    return f"turn {number} {candidate.id}"
