"""How well ids stay with their things, where the truth is known: IDF1, identity switches, fragmentation, MOTA."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.classes import STREET_CLASSES
from edgeseg.core.errors import UsageError
from edgeseg.core.masks import InstanceMasks
from edgeseg.data.street_instances import SMALLEST, StreetInstances
from edgeseg.synthetic import StreetView
from edgeseg.vision.assignment import assign
from edgeseg.vision.mapped_instances import mapped_instances

OVERLAP = 0.5
"""The least IoU of two masks that show one thing."""

_Key = tuple[int, int]
"""A stream's number, and an id in it."""


class Identity:
    """Compares tracked things with the true ones, frame by frame.

    An answer can only be a thing of its own class whose mask it overlaps with an IoU of 0.5 or more.

    - IDF1 (Ristani et al., ECCV workshops 2016): each true track is given to at most one track of the answer, and the
      other way round, so that the frames in which they agree, IDTP, are as many as can be.
      IDF1 = 2 IDTP / (true things + answered things), id_precision = IDTP / answered, id_recall = IDTP / true.
    - Switches, fragmentation and MOTA (CLEAR MOT, Bernardin & Stiefelhagen 2008): in each frame things are matched one to
      one, a pair of before if it still can be, the others by the greatest IoU. A switch is a true thing matched with
      another id than the last time. A fragmentation is a true thing that was matched, then for a while was there and was
      not, and then was again. MOTA = 1 - (missed + false + switches) / true things.

    True regions that are not judged count nowhere, nor does an unmatched answer of which half or more lies in one.

    least: pixels. An unmatched answer of fewer counts nowhere, as in COCO's measures by size: where small things are not
    asked for (see `street_truth`), nobody is blamed for finding them, and their masks rarely lie in one half and more.
    """

    def __init__(self, least: int = 0) -> None:
        self._least = least
        self._stream = 0
        self._shared: dict[tuple[_Key, _Key], int] = {}
        self._true: dict[_Key, int] = {}
        self._answered: dict[_Key, int] = {}
        self._last: dict[_Key, int] = {}
        self._lost: set[_Key] = set()
        self._matched = self._switches = self._fragments = 0
        self._iou = 0.0

    def next_stream(self) -> None:
        """What is added from now on is of another stream: its ids have nothing to do with those before."""
        self._stream += 1

    def add(self, truth: InstanceMasks, answer: InstanceMasks, unjudged: NDArray[np.bool_] | None = None) -> None:
        """Adds the next frame of the stream.

        truth, answer: with ids, of one size and the same classes. unjudged: bool [N] of the truth, regions and things that
        nobody is asked for; by default none. Raises UsageError where ids are missing.
        """
        if truth.ids is None or answer.ids is None:
            raise UsageError("identities are compared where both sides have ids: let a Tracker give them")
        judged = np.ones(len(truth), bool) if unjudged is None else ~unjudged
        overlap = _overlap(truth, answer, ~judged)
        same = (truth.labels[:, None] == answer.labels[None]) & (overlap >= OVERLAP)
        true_keys = [(self._stream, int(number)) for number in truth.ids[judged]]
        answers = answer.ids
        pairs = self._pair(true_keys, answers, np.where(same, overlap, 0)[judged])
        counted = np.all(overlap[~judged] < OVERLAP, axis=0).reshape(len(answer))
        counted &= answer.cutouts.areas() >= self._least
        counted[list(pairs.values())] = True
        self._count(true_keys, answers, same[judged], counted)
        self._iou += float(sum(overlap[judged][pair] for pair in pairs.items()))
        for row, key in enumerate(true_keys):
            self._follow(key, int(answers[pairs[row]]) if row in pairs else None)

    def found(self) -> dict[str, float | None]:
        """Returns how right the things are, ids apart: f1, precision, recall and mask_iou.

        Fractions, None where there was nothing. precision: matched / answered things; recall: matched / true ones; f1: of
        both, what perfect ids would make of idf1. mask_iou: mean IoU of the matched ones' masks.
        """
        true, answered = self._totals()
        return {
            "f1": _share(2 * self._matched, true + answered),
            "precision": _share(self._matched, answered),
            "recall": _share(self._matched, true),
            "mask_iou": _share(self._iou, self._matched),
        }

    def figures(self) -> dict[str, Any]:
        """Returns those of `found`, and idf1, id_precision, id_recall, mota, switches, fragmentations, tracks (true ones)
        and answered_tracks.

        idf1, id_precision, id_recall and mota are fractions, None where there was nothing.
        """
        both = sum(float(frames[assign(-frames)].sum()) for frames in self._groups())
        true, answered = self._totals()
        wrong = (true - self._matched) + (answered - self._matched) + self._switches
        return {
            **self.found(),
            "idf1": _share(2 * both, true + answered),
            "id_precision": _share(both, answered),
            "id_recall": _share(both, true),
            "mota": _share(true - wrong, true),
            "switches": self._switches,
            "fragmentations": self._fragments,
            "tracks": len(self._true),
            "answered_tracks": len(self._answered),
        }

    def _totals(self) -> tuple[int, int]:
        """True things and answered ones, over all frames."""
        return sum(self._true.values()), sum(self._answered.values())

    def _groups(self) -> Iterator[NDArray[np.float64]]:
        """The frames that true tracks share with answered ones, [true, answered]: a table for each group of tracks that
        have to do with each other, since one of them all would have no bound."""
        answered_of: dict[_Key, list[_Key]] = {}
        true_of: dict[_Key, list[_Key]] = {}
        for true, answered in self._shared:
            answered_of.setdefault(true, []).append(answered)
            true_of.setdefault(answered, []).append(true)
        while answered_of:
            rows: list[_Key] = []
            columns: dict[_Key, None] = {}
            waiting = [next(iter(answered_of))]
            while waiting:
                true = waiting.pop()
                if true in answered_of:
                    rows.append(true)
                    for answered in answered_of.pop(true):
                        columns[answered] = None
                        waiting += true_of.pop(answered, [])
            yield np.array([[self._shared.get((true, answered), 0.0) for answered in columns] for true in rows])

    def _pair(self, true: list[_Key], answered: NDArray[np.int64], overlap: NDArray[np.float64]) -> dict[int, int]:
        """The frame's matches, row -> column: as many pairs of before as can be, then the greatest sum of IoU."""
        before = np.array([self._last.get(key, -1) for key in true], np.int64)
        worth = np.where(overlap > 0, overlap + 1000.0 * (before[:, None] == answered[None]), 0)
        rows, columns = assign(-worth)
        return {int(row): int(column) for row, column in zip(rows, columns, strict=True) if worth[row, column] > 0}

    def _count(
        self, true: list[_Key], answered: NDArray[np.int64], same: NDArray[np.bool_], counted: NDArray[np.bool_]
    ) -> None:
        for key in true:
            self._true[key] = self._true.get(key, 0) + 1
        for number in answered[counted]:
            key = (self._stream, int(number))
            self._answered[key] = self._answered.get(key, 0) + 1
        for row, column in np.argwhere(same & counted):
            pair = true[row], (self._stream, int(answered[column]))
            self._shared[pair] = self._shared.get(pair, 0) + 1

    def _follow(self, key: _Key, answered: int | None) -> None:
        """Takes note of what a true thing was matched with in this frame."""
        if answered is None:
            if key in self._last:
                self._lost.add(key)
            return
        self._matched += 1
        self._switches += self._last.get(key, answered) != answered
        self._fragments += key in self._lost
        self._lost.discard(key)
        self._last[key] = answered


def street_truth(view: StreetView, least: int = SMALLEST) -> tuple[InstanceMasks, NDArray[np.bool_]]:
    """Returns the things in a frame of the street, with their ids, and which of them are not judged, bool [N].

    Those are the ones of which less than `least` pixels are seen.
    """
    things = mapped_instances(view.instances, view.labels, STREET_CLASSES, StreetInstances.classes)
    return things, things.cutouts.areas() < least


def _overlap(truth: InstanceMasks, answer: InstanceMasks, unjudged: NDArray[np.bool_]) -> NDArray[np.float64]:
    """IoU, float64 [N, M]; with a region that is not judged, the share of the answer that lies in it."""
    shared = truth.cutouts.shared(answer.cutouts)
    ours, theirs = truth.cutouts.areas()[:, None], answer.cutouts.areas()[None]
    whole = np.where(unjudged[:, None], theirs, ours + theirs - shared)
    return shared / np.maximum(whole, 1)


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
