"""A model is switched while frames flow: each frame's masks are wholly one model's, and no frame is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgeseg.core.bundle import Bundle, write_bundle
from edgeseg.core.errors import UsageError
from edgeseg.runtime.segmenter import SemanticSegmenter, load
from edgeseg.runtime.stage import Stage
from edgeseg.runtime.switching import SwitchableSegmenter, alternatives
from edgeseg.streaming.opening import open_source
from edgeseg.streaming.pipeline import Stream
from tests.conftest import COLOURS_BGR, golden_frame, manifest, nearest_colour_graph


@pytest.fixture(scope="module")
def rotated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the same classes that calls red green, green blue, and blue red."""
    graph = nearest_colour_graph(np.roll(COLOURS_BGR, 1, axis=0))
    folder = tmp_path_factory.mktemp("engines") / "rotated"
    write_bundle(
        folder, {**manifest(), "name": "rotated"}, {"model.fp32.onnx": graph, "golden.npz": golden_frame(graph)}
    )
    return folder


class Watched(SemanticSegmenter):
    """A segmenter that tells whether it was closed, and refuses work afterwards."""

    closed = False

    def close(self) -> None:
        self.closed = True
        super().close()

    def _infer(self, fitted: Any) -> Any:
        assert not self.closed, "a frame came to a closed segmenter"
        return super()._infer(fitted)


def opened(folder: Path) -> Watched:
    segmenter = load(folder, engine="onnxruntime", threads=1)
    assert isinstance(segmenter, SemanticSegmenter)
    return Watched(segmenter.bundle, segmenter._engine)


def test_a_switch_in_a_running_stream_loses_no_frame_and_closes_the_earlier_model(
    bundle_folder: Path, rotated_folder: Path
) -> None:
    first, never_seen, second = opened(bundle_folder), opened(rotated_folder), opened(rotated_folder)
    segmenter = SwitchableSegmenter(first)
    with load(bundle_folder, engine="onnxruntime") as one, load(rotated_folder, engine="onnxruntime") as other:
        makers = []
        with Stream(open_source("street://?size=96x64&frames=40&live=0"), segmenter) as stream:
            for result in stream:
                if result.frame.index == 10:
                    segmenter.switch(never_seen)
                    segmenter.switch(second)
                labels = result.masks.labels
                assert (labels == one(result.frame.image).labels).all() != (
                    labels == other(result.frame.image).labels
                ).all()
                makers.append(bool((labels == other(result.frame.image).labels).all()))
    assert len(makers) == stream.ledger.counts().captured == 40
    assert makers == sorted(makers) and makers[10] is False and makers[-1] is True
    assert first.closed and never_seen.closed and not second.closed
    assert segmenter.bundle.name == "rotated"
    segmenter.close()
    assert second.closed


def test_a_frame_ends_with_the_model_that_it_began_with(
    bundle_folder: Path, rotated_folder: Path, bars: np.ndarray
) -> None:
    first, second = opened(bundle_folder), opened(rotated_folder)
    expected = [model(bars).labels for model in (first, second)]
    segmenter = SwitchableSegmenter(first)
    fit, engine, tail = segmenter.stages
    going = fit.run(bars)
    segmenter.switch(second)
    np.testing.assert_array_equal(tail.run(engine.run(going)).labels, expected[0])
    assert not first.closed and segmenter.bundle is first.bundle
    np.testing.assert_array_equal(tail.run(engine.run(fit.run(bars))).labels, expected[1])
    assert first.closed and segmenter.bundle is second.bundle
    segmenter.close()


def test_a_model_with_other_steps_fits_in(bundle_folder: Path, bars: np.ndarray) -> None:
    inner = opened(bundle_folder)
    whole: Any = SimpleNamespace(
        bundle=inner.bundle, engine=inner.engine, stages=(Stage("graph", inner),), close=inner.close
    )
    expected = inner(bars).labels
    for first, then in ((whole, opened(bundle_folder)), (opened(bundle_folder), whole)):
        segmenter = SwitchableSegmenter(first)
        segmenter.switch(then)
        np.testing.assert_array_equal(segmenter(bars).labels, expected)  # type: ignore[union-attr]
        inner.closed = False


def test_a_model_of_another_task_is_refused_and_the_first_goes_on(bundle_folder: Path, bars: np.ndarray) -> None:
    segmenter, other = SwitchableSegmenter(opened(bundle_folder)), opened(bundle_folder)
    other.bundle = replace(other.bundle, task="instances")
    with pytest.raises(UsageError, match="--model nearest-colour"):
        segmenter.switch(other)
    assert other.closed
    segmenter(bars)
    segmenter.close()


def test_only_models_of_the_same_classes_and_colours_are_offered(bundle_folder: Path) -> None:
    shipped = {"fast-scnn-street", "bisenet-mobilenetv2-street"}
    own = alternatives(Bundle.open(bundle_folder))
    assert set(own) & ({"nearest-colour"} | shipped) == {"nearest-colour"}
    assert "fp32" in own["nearest-colour"] and "int8" not in own["nearest-colour"]
    street = alternatives(Bundle.open(Path(__file__).parents[2] / "engines/fast-scnn-street"))
    assert shipped <= set(street) and "nearest-colour" not in street
