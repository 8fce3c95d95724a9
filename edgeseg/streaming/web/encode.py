"""A result as bytes for browsers."""

from __future__ import annotations

import zlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgeseg.core.masks import InstanceMasks, Masks, SemanticMask
from edgeseg.core.result import Result
from edgeseg.streaming.web.messages import pack_frame
from edgeseg.vision.overlay import colours_of, paint, paint_instances

WIDEST_PICTURE = 1280
WIDEST_TILE = 640
"""Pixels. A label map is at most half as wide as its picture may be: the browser scales it up, nobody sees the difference, and
it is a quarter of the work."""
QUALITY = 80
NOTHING = 255
"""What a label map says where no class and no thing is."""


def frame_message(number: int, result: Result, palette: ArrayLike, widest: int = WIDEST_PICTURE) -> bytes:
    """Returns the binary message of one frame (see `messages`), its picture at most `widest` pixels wide.

    Its header: stream, which one's; number, counted by the page; index, of the frame; width, height of the frame, px; map
    [w, h], the label map's size; latency_ms, from capture to delivery; stage_ms; things, null for a semantic model, else a
    list of {id, label, score, box, colour} in the order in which the label map counts them.
    """
    labels = label_map(result.masks, widest // 2)
    height, width = result.frame.image.shape[:2]
    header = {
        "stream": result.lane,
        "number": number,
        "index": result.frame.index,
        "width": width,
        "height": height,
        "map": [labels.shape[1], labels.shape[0]],
        "latency_ms": round(result.latency_ms, 2),
        "stage_ms": {name: round(ms, 2) for name, ms in result.timing.stage_ms.items()},
        "things": things_of(result.masks, palette) if isinstance(result.masks, InstanceMasks) else None,
    }
    return pack_frame(header, jpeg(result.frame.image, widest), zlib.compress(labels.data, 1))


def painted_jpeg(result: Result, palette: ArrayLike) -> bytes:
    """Returns the picture with its masks painted in, as JPEG, for viewers that can't lay them over it."""
    if isinstance(result.masks, SemanticMask):
        return jpeg(paint(result.frame.image, result.masks.labels, palette))
    return jpeg(paint_instances(result.frame.image, result.masks, palette))


def jpeg(image: NDArray[np.uint8], widest: int = WIDEST_PICTURE) -> bytes:
    """Encodes a picture, uint8 [H, W, 3] BGR, made smaller if it is wider than `widest`."""
    height, width = image.shape[:2]
    if width > widest:
        size = widest, max(1, round(height * widest / width))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return encoded.tobytes()


def label_map(masks: Masks, widest: int) -> NDArray[np.uint8]:
    """Returns uint8 [h, w], at most `widest` wide: class ids, or for things their places in `things_of`."""
    labels = masks.labels if isinstance(masks, SemanticMask) else _places(masks)
    step = -(-labels.shape[1] // widest)
    return np.ascontiguousarray(labels[step // 2 :: step, step // 2 :: step] if min(labels.shape) > step else labels)


def things_of(masks: InstanceMasks, palette: ArrayLike) -> list[dict[str, Any]]:
    """Returns what the header says of each thing, least sure first, as they lie over each other."""
    colours = colours_of(masks, palette)
    return [
        {
            "id": None if masks.ids is None else int(masks.ids[thing]),
            "label": int(masks.labels[thing]),
            "score": round(float(masks.scores[thing]), 3),
            "box": [round(float(side), 1) for side in masks.boxes[thing]],
            "colour": colours[thing],
        }
        for thing in _order(masks)
    ]


def _order(masks: InstanceMasks) -> NDArray[np.intp]:
    return np.argsort(masks.scores, kind="stable")[-NOTHING:]


def _places(masks: InstanceMasks) -> NDArray[np.uint8]:
    cutouts = masks.cutouts
    places = np.full((cutouts.height, cutouts.width), NOTHING, dtype=np.uint8)
    for place, thing in enumerate(_order(masks)):
        x0, y0, x1, y1 = cutouts.windows[thing]
        np.copyto(places[y0:y1, x0:x1], np.uint8(place), where=cutouts.pixels[thing])
    return places
