"""What a browser sends is a request or is refused; a frame's message holds the picture and its masks."""

from __future__ import annotations

import json
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.core.result import Result
from edgeseg.streaming.web.encode import NOTHING, WIDEST_TILE, frame_message, painted_jpeg
from edgeseg.streaming.web.messages import (
    MAX_REQUEST,
    MalformedRequest,
    Record,
    Request,
    Shown,
    Snapshot,
    Switch,
    Watch,
    parse,
)

WORDS = ["kind", "number", "on", "stream", "streams", "large", "x"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner),
    max_leaves=8,
)


def unpacked(message: bytes) -> tuple[dict, np.ndarray, np.ndarray]:
    """Header, picture (BGR), label map."""
    (length,) = struct.unpack_from("<I", message)
    header = json.loads(message[4 : 4 + length])
    picture = message[4 + length : 4 + length + header["picture"]]
    labels = zlib.decompress(message[4 + length + header["picture"] :])
    assert 4 + length + header["picture"] + header["labels"] == len(message)
    image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return header, image, np.frombuffer(labels, np.uint8).reshape(header["map"][::-1])


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ('{"kind": "shown", "number": 7}', Shown(7)),
        ('{"kind": "switch", "model": "a", "precision": "fp32"}', Switch("a", "fp32")),
        ('{"kind": "record", "on": true}', Record(True)),
        ('{"kind": "snapshot"}', Snapshot()),
        ('{"kind": "watch", "streams": [2, 0], "large": false}', Watch((2, 0), large=False)),
        ('{"kind": "shown", "stream": 3, "number": 7}', Shown(7, stream=3)),
        ('{"kind": "record", "stream": 3, "on": false}', Record(False, stream=3)),
        ('{"kind": "snapshot", "stream": 3}', Snapshot(stream=3)),
    ],
)
def test_requests_are_understood_and_mean_the_first_stream_unless_they_name_one(text: str, request_: Request) -> None:
    assert parse(text) == request_


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '{"kind": "shown"}',
        '{"kind": "shown", "number": true}',
        '{"kind": "shown", "number": 1.5}',
        '{"kind": "record", "on": 1}',
        '{"kind": "snapshot", "path": "/etc/passwd"}',
        '{"kind": ["snapshot"]}',
        '{"kind": "snapshot", "stream": true}',
        '{"kind": "snapshot", "stream": "0"}',
        '{"kind": "watch", "streams": [0]}',
        '{"kind": "watch", "streams": [0.5], "large": true}',
        '{"kind": "watch", "streams": 0, "large": true}',
        "[" * MAX_REQUEST,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(MalformedRequest):
        parse(text)


@given(st.text(max_size=200) | JSON.map(json.dumps))
def test_no_text_does_anything_but_make_a_request_or_be_refused(text: str) -> None:
    try:
        request = parse(text)
    except MalformedRequest:
        return
    assert isinstance(request, Request)


def test_a_label_map_is_the_masks_own_and_the_picture_looks_like_the_frame(make_bars) -> None:
    result: Result = make_bars(0)
    header, picture, labels = unpacked(frame_message(3, result, ((0, 0, 0),) * 3))
    assert (header["number"], header["index"], header["width"], header["height"]) == (3, 0, 180, 120)
    assert header["things"] is None
    assert header["stage_ms"] == {"engine": 2.0}
    np.testing.assert_array_equal(labels, result.masks.labels)
    assert cv2.norm(picture, result.frame.image, cv2.NORM_L1) / picture.size < 4


def test_a_large_frame_is_sent_smaller_and_its_masks_with_it(make_result) -> None:
    result = make_result(width=2000, height=1000)
    header, picture, labels = unpacked(frame_message(1, result, ((0, 0, 0),) * 2))
    assert picture.shape == (640, 1280, 3)
    assert (header["width"], header["height"]) == (2000, 1000)
    assert labels.shape == (250, 500)
    np.testing.assert_array_equal(labels, result.masks.labels[2::4, 2::4])


def test_a_tile_is_smaller_still(make_result) -> None:
    result = make_result(width=2000, height=1000)
    header, picture, labels = unpacked(frame_message(1, result, ((0, 0, 0),) * 2, WIDEST_TILE))
    assert picture.shape == (320, 640, 3)
    assert (header["width"], header["height"]) == (2000, 1000)
    assert labels.shape[1] <= WIDEST_TILE // 2


def test_of_things_the_map_says_where_each_is(make_result) -> None:
    result = make_result(instances=True)
    header, _, labels = unpacked(frame_message(1, result, ((0, 0, 0),) * 2))
    (thing,) = header["things"]
    assert (thing["id"], thing["label"], thing["score"]) == (7, 1, 0.9)
    np.testing.assert_allclose(thing["box"], result.masks.boxes[0])
    np.testing.assert_array_equal(labels, np.where(result.masks.masks[0], 0, NOTHING))


@pytest.mark.parametrize("instances", [False, True])
def test_a_painted_picture_shows_the_masks(make_result, instances: bool) -> None:
    result = make_result(instances=instances)
    painted = cv2.imdecode(np.frombuffer(painted_jpeg(result, ((0, 0, 0), (255, 0, 0))), np.uint8), cv2.IMREAD_COLOR)
    assert painted is not None
    inside, drawn = result.frame.image[60, 48].astype(int), painted[60, 48].astype(int)
    assert np.abs(drawn - inside).max() > 20
