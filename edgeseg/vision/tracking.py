"""Identities: the same number for the same thing from frame to frame.

After ByteTrack (Zhang et al., ECCV 2022): things are matched with tracks by the overlap of their boxes, first the sure
ones, then the unsure ones with what is left, so that a thing half hidden keeps its track and a weak answer alone begins
none. Between sightings a track moves on at a constant velocity, by a Kalman filter as in SORT (Bewley et al., ICIP 2016),
but each edge of its box by itself: where a thing goes behind another, one edge stands still while the others go on. The
numbers below and the Tracker's own were chosen on the rendered street, seeds 1 to 4, with a simulated detector and with
`yolact-mobilenetv2-street`, as benchmarks/identity.py tells.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.masks import InstanceMasks
from edgeseg.vision.assignment import assign

JITTER = 0.07
"""How far a detector's edge is off (standard deviation), as a share of the box's size, sqrt(width * height)."""
PUSH = 0.3
"""How fast velocities change, in sizes / s / sqrt(s)."""
PACE = 2.0
"""How fast the edges of a thing first seen may move (standard deviation), in sizes / s."""
GROWTH = 0.3
"""Boxes are compared grown by this share of their size on each side, so that what is small and fast still overlaps with
where it is expected (C-BIoU, Yang et al., WACV 2023)."""

_TRACK = np.dtype(
    [
        ("id", np.int64),
        ("label", np.uint8),
        ("seen", np.float64),
        ("box", np.float64, 4),
        ("pace", np.float64, 4),
        ("doubt", np.float64, 3),
    ]
)
"""A track. seen: when last, in seconds. box: x0 y0 x1 y1, where it is expected, in pixels; pace: the same in pixels / s.
doubt: variance of an edge, covariance with its pace, variance of the pace. Every noise being a share of the size, they
are in units of it, and one holds for all four edges."""

_Tracks = NDArray[np.void]


class Tracker:
    """Gives the things of one stream their ids. Not for two threads at once.

    sure: the score, 0..1, from which a thing may begin a track. patience: seconds that a track is kept while nothing
    shows it. overlap: the least IoU (see GROWTH) of a sure thing's box with where its track is expected; unsure_overlap:
    the same of an unsure one.
    """

    def __init__(
        self, *, sure: float = 0.5, patience: float = 1.0, overlap: float = 0.1, unsure_overlap: float = 0.5
    ) -> None:
        self._sure, self._patience = sure, patience
        self._overlap, self._unsure_overlap = overlap, unsure_overlap
        self._tracks: _Tracks = np.zeros(0, _TRACK)
        self._seconds, self._next_id = 0.0, 1
        # Compiles it (once a machine, then read from the cache), so that the first frame is as quick as the others.
        assign(np.zeros((1, 1)))

    def __call__(self, things: InstanceMasks, seconds: float) -> InstanceMasks:
        """Returns the things that belong to a track, with `ids`: all sure ones, and unsure ones that go on with a track.

        things: of one frame, in pixels. seconds: when it was captured, on any clock; no earlier than the frame before.
        Ids begin with 1, and none is given to two things.
        """
        tracks = self._tracks[seconds - self._tracks["seen"] <= self._patience]
        _move(tracks, seconds - self._seconds)
        likeness = _likeness(tracks, things)
        row_of = np.full(len(things), -1)
        sure = things.scores >= self._sure
        _match(likeness, self._overlap, np.ones(len(tracks), bool), sure, row_of)
        # As in ByteTrack: an unsure thing may go on with a track of the last frame, and wakes none that was lost.
        _match(likeness, self._unsure_overlap, tracks["seen"] == self._seconds, ~sure, row_of)
        tracked = row_of >= 0
        _correct(tracks, row_of[tracked], things.boxes[tracked], seconds)
        begun = sure & ~tracked
        row_of[begun] = len(tracks) + np.arange(begun.sum())
        self._tracks = np.concatenate([tracks, self._begun(things, begun, seconds)])
        self._seconds = seconds
        return replace(things.chosen(tracked | begun), ids=self._tracks["id"][row_of[tracked | begun]])

    def _begun(self, things: InstanceMasks, chosen: NDArray[np.bool_], seconds: float) -> _Tracks:
        tracks = np.zeros(int(chosen.sum()), _TRACK)
        tracks["id"] = self._next_id + np.arange(len(tracks))
        tracks["label"], tracks["box"] = things.labels[chosen], things.boxes[chosen]
        tracks["seen"] = seconds
        tracks["doubt"] = JITTER**2, 0, PACE**2
        self._next_id += len(tracks)
        return tracks


def _move(tracks: _Tracks, elapsed: float) -> None:
    """Moves tracks on, in place, by so many seconds."""
    tracks["box"] += elapsed * tracks["pace"]
    at, both, rate = tracks["doubt"].T
    at += 2 * elapsed * both + elapsed**2 * rate + PUSH**2 * elapsed**3 / 3
    both += elapsed * rate + PUSH**2 * elapsed**2 / 2
    rate += PUSH**2 * elapsed


def _correct(tracks: _Tracks, rows: NDArray[np.int64], boxes: NDArray[np.float32], seconds: float) -> None:
    """Lets the tracks of these rows know where they were seen; the others go on without growing or shrinking."""
    at, both, rate = tracks["doubt"][rows].T
    gain, pace_gain = at / (at + JITTER**2), both / (at + JITTER**2)
    off = boxes - tracks["box"][rows]
    tracks["box"][rows] += gain[:, None] * off
    tracks["pace"][rows] += pace_gain[:, None] * off
    tracks["doubt"][rows] = np.stack([at * (1 - gain), both * (1 - gain), rate - pace_gain * both], axis=1)
    tracks["seen"][rows] = seconds
    lost = tracks["seen"] < seconds
    ends = tracks["pace"][lost].reshape(-1, 2, 2)
    tracks["pace"][lost] = np.tile(ends.mean(axis=1), 2)


def _match(
    likeness: NDArray[np.float64],
    least: float,
    open_tracks: NDArray[np.bool_],
    open_things: NDArray[np.bool_],
    row_of: NDArray[np.int64],
) -> None:
    """Gives things of row -1 the rows of free tracks, in place, so that the sum of the likenesses is greatest."""
    taken = np.isin(np.arange(len(likeness)), row_of)
    rows, columns = np.flatnonzero(open_tracks & ~taken), np.flatnonzero(open_things & (row_of < 0))
    part = likeness[np.ix_(rows, columns)]
    part[part < least] = 0
    pairs = assign(-part)
    matched = part[pairs] > 0
    row_of[columns[pairs[1][matched]]] = rows[pairs[0][matched]]


def _likeness(tracks: _Tracks, things: InstanceMasks) -> NDArray[np.float64]:
    """The IoU of where each track is expected with each thing's box, both grown, float64 [T, N]; 0 where the classes differ."""
    height, width = things.cutouts.height, things.cutouts.width
    inside = np.clip(tracks["box"], 0, [width, height, width, height])
    ours, theirs = _grown(inside)[:, None], _grown(things.boxes.astype(np.float64))[None]
    sides = np.minimum(ours[..., 2:], theirs[..., 2:]) - np.maximum(ours[..., :2], theirs[..., :2])
    shared = np.maximum(sides, 0).prod(axis=2)
    union = _area(ours) + _area(theirs) - shared
    iou = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return np.where(tracks["label"][:, None] == things.labels[None], iou, 0)


def _grown(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    margin = GROWTH * np.sqrt(_area(boxes))[:, None]
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1)


def _area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(boxes[..., 2:] - boxes[..., :2], 0).prod(axis=-1)
