"""While the street plays, a run knows how right it is: of pixels and of things, and of what it can't know it says nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgeseg.core.classes import STREET_CLASSES
from edgeseg.core.masks import InstanceMasks, Masks, SemanticMask
from edgeseg.core.result import EngineInfo, Frame, Result, Timing
from edgeseg.data.street_instances import SMALLEST
from edgeseg.evaluate.live_truth import LiveTruth, true_things
from edgeseg.synthetic import Street

CLASSES = ("car", "pedestrian", "bicyclist")
ENGINE = EngineInfo("onnxruntime", "fp32", "a processor", 1)


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    drive = Street(2, 160, 90)
    views = [drive.render(3 * index) for index in range(8)]
    return [
        Frame(
            view.image,
            index,
            index,
            "street://",
            truth=SemanticMask(view.labels, STREET_CLASSES),
            truth_ids=view.instances,
        )
        for index, view in enumerate(views)
    ]


def result(frame: Frame, masks: Masks) -> Result:
    return Result(frame, masks, Timing({}, 0), ENGINE)


def things(frame: Frame) -> InstanceMasks:
    """What is asked for in a frame, as a perfect model answers."""
    truth = true_things(frame, CLASSES)
    assert truth is not None
    return truth.chosen(truth.cutouts.areas() >= SMALLEST)


def test_a_perfect_answer_is_fully_right(frames: list[Frame]) -> None:
    truth = LiveTruth()
    for frame in frames:
        truth.add(result(frame, things(frame)))
    assert truth.brief() == {"F1": "100.0 %"}
    said = truth.figures()
    assert said is not None
    assert (said["f1"], said["idf1"], said["mask_iou"], said["switches"]) == (1, 1, 1, 0)


def test_half_of_the_things_with_new_ids_halfway(frames: list[Frame]) -> None:
    truth = LiveTruth()
    true = found = 0
    for frame in frames:
        asked = things(frame)
        assert asked.ids is not None
        seen = asked.chosen(asked.ids % 2 == 0)
        assert seen.ids is not None
        true, found = true + len(asked), found + len(seen)
        truth.add(result(frame, replace(seen, ids=seen.ids + 1000 * (frame.index >= 4))))
    said = truth.figures()
    assert said is not None
    assert (said["precision"], said["recall"]) == (1, pytest.approx(found / true))
    assert 0 < said["idf1"] < said["f1"] == pytest.approx(2 * found / (true + found))
    assert said["switches"] > 0


def test_pixels_are_judged_as_before(frames: list[Frame]) -> None:
    truth = LiveTruth()
    for frame in frames:
        assert frame.truth is not None
        truth.add(result(frame, frame.truth))
    assert truth.brief() == {"mIoU": "100.0 %"}
    said = truth.figures()
    assert said is not None
    assert (said["miou"], said["pixel_accuracy"]) == (1, 1)


def test_what_the_source_does_not_know_is_not_judged(frames: list[Frame]) -> None:
    frame = frames[0]
    answer = things(frame)
    truth = LiveTruth()
    truth.add(result(replace(frame, truth=None, truth_ids=None), answer))
    truth.add(result(replace(frame, truth_ids=None), answer))
    truth.add(result(frame, replace(answer, ids=None)))
    # The street has pedestrians, and no class "person".
    truth.add(result(frame, replace(answer, classes=("person",), labels=np.zeros(len(answer), np.uint8))))
    truth.add(result(frame, SemanticMask(np.zeros((90, 160), np.uint8), ("background", "person"))))
    assert (truth.brief(), truth.figures()) == ({}, None)
