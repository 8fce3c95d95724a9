"""The rendered street as a source: the same from the same seed, with its truth, and at a camera's pace."""

from __future__ import annotations

import time
from itertools import islice

import numpy as np
import pytest

from edgeseg.core.classes import STREET_CLASSES
from edgeseg.core.errors import UsageError
from edgeseg.streaming.sources.street import StreetSource

SMALL = "size=96x64"


def test_the_same_seed_gives_the_same_frames_with_their_truth() -> None:
    runs = []
    for _ in range(2):
        with StreetSource(f"street://?seed=5&{SMALL}&frames=3&live=0") as source:
            assert (source.live, source.frames, source.fps) == (False, 3, 30)
            runs.append(list(source))
    assert [frame.index for frame in runs[0]] == [0, 1, 2]
    for one, other in zip(*runs, strict=True):
        assert one.truth is not None
        assert other.truth is not None
        assert one.truth.classes == STREET_CLASSES
        assert one.truth.labels.shape == one.image.shape[:2] == (64, 96)
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.truth.labels, other.truth.labels)
        assert one.truth_ids is not None and one.truth_ids.shape == (64, 96)
        things = {STREET_CLASSES[label] for label in one.truth.labels[one.truth_ids > 0]}
        assert things and things <= {"car", "pedestrian", "bicyclist"}


def test_another_seed_is_another_street() -> None:
    one, other = (next(iter(StreetSource(f"street://?seed={seed}&{SMALL}&live=0"))) for seed in (1, 2))
    assert (one.image != other.image).any()


def test_a_live_street_keeps_a_camera_pace() -> None:
    begin = time.monotonic_ns()
    with StreetSource(f"street://?{SMALL}&fps=50&frames=11") as source:
        assert source.live
        frames = list(source)
    captured = [frame.captured_ns for frame in frames]
    assert len(frames) == 11
    # Ten gaps of 20 ms at least: a slow machine takes longer, no machine less.
    assert captured[-1] - captured[0] >= 10 * 20_000_000
    assert begin < captured[0]
    assert captured == sorted(captured)
    assert captured[-1] <= time.monotonic_ns()


def test_the_drive_goes_on_while_nobody_looks() -> None:
    with StreetSource(f"street://?{SMALL}&fps=50&frames=4&seed=3") as live:
        frames = iter(live)
        next(frames)
        time.sleep(0.3)
        late = list(frames)[1]
    with StreetSource(f"street://?{SMALL}&fps=50&live=0&seed=3") as every:
        moments = [frame.image for frame in islice(every, 12)]
    assert late.index == 2
    assert not any((late.image == image).all() for image in moments)


def test_closing_ends_the_drive() -> None:
    source = StreetSource(f"street://?{SMALL}")
    frames = iter(source)
    next(frames)
    source.close()
    assert list(frames) == []


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("street://?sed=1", r"no parameter 'sed': it takes seed=0\.\.2147483647, size="),
        ("street://?seed=-1", r"seed= takes 0\.\.2147483647, not '-1'"),
        ("street://?seed=one", r"seed= takes"),
        ("street://?size=1280", r"size= takes 32x24\.\.4096x4096, not '1280'"),
        ("street://?size=8x8", r"size= takes"),
        ("street://?fps=nan", r"fps= takes 1\.0\.\.240\.0, not 'nan'"),
        ("street://?frames=0", r"frames= takes"),
        ("street://?live=yes", r"live= takes 0\.\.1"),
        ("street://somewhere", r"nothing stands between"),
    ],
)
def test_bad_parameters_are_answered_with_what_is_allowed(address: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        StreetSource(address)
