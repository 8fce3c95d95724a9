"""What leaves, in Foxglove's schemas: a picture, a label map, outlines of things, and JSON that its charts can plot.

/image       foxglove.CompressedImage: the frame, JPEG
/labels      foxglove.RawImage mono8: the class ids
/painted     foxglove.CompressedImage: the frame with its classes, or things, in colour, JPEG; only where somebody looks
/things      foxglove.RawImage mono8: of an instance model, 0 where there is none, k where it is the k-th
/detections  foxglove.ImageAnnotations: of an instance model, outlines, boxes and names
/timing      JSON: frame, latency_ms, stage_ms, sequence
/health      JSON: `edgeseg.streaming.health.Health`, each second
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from foxglove import Schema
from foxglove.messages import (
    Color,
    CompressedImage,
    ImageAnnotations,
    Point2,
    PointsAnnotation,
    PointsAnnotationType,
    RawImage,
    TextAnnotation,
    Timestamp,
)
from numpy.typing import NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.streaming.outgoing import UNTRACKED, Outgoing

CAMERA = "camera"
HEALTH = "/health"
JPEG_QUALITY = 80
FONT, LINE = 14.0, 2.0

_NUMBERS = {"type": "object", "additionalProperties": {"type": "number"}}
_NUMBER, _TEXT = {"type": "number"}, {"type": "string"}


def _json_schema(name: str, **properties: Any) -> Schema:
    document = {"title": name, "type": "object", "properties": properties}
    return Schema(name=name, encoding="jsonschema", data=json.dumps(document).encode())


TIMING_SCHEMA = _json_schema("edgeseg.Timing", frame=_NUMBER, sequence=_NUMBER, latency_ms=_NUMBER, stage_ms=_NUMBERS)
HEALTH_SCHEMA = _json_schema(
    "edgeseg.Health",
    **dict.fromkeys(("captured", "delivered", "failed", "age_ms", "published", "missed"), _NUMBER),
    **dict.fromkeys(("status", "error"), _TEXT),
    dropped=_NUMBERS,
)


class FoxgloveMessages:
    """Encodes what leaves, topic by topic.

    schemas: topic -> its schema. encoders: topic -> what makes its message of a result; it is called only where the message
    is wanted. A message is of the encoding that `encoding_of` says.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self.schemas: dict[str, Schema] = {
            "/image": CompressedImage.get_schema(),
            "/labels": RawImage.get_schema(),
            "/timing": TIMING_SCHEMA,
            HEALTH: HEALTH_SCHEMA,
        }
        self.encoders: dict[str, Callable[[Outgoing], bytes]] = {
            "/image": lambda outgoing: self._jpeg(outgoing, outgoing.image),
            "/labels": lambda outgoing: self._plane(outgoing, outgoing.labels),
            "/timing": timing,
        }
        if bundle.task == "instances":
            self.schemas |= {"/things": RawImage.get_schema(), "/detections": ImageAnnotations.get_schema()}
            self.encoders |= {"/things": self._thing_map, "/detections": self._detections}

    def also_painted(self) -> None:
        """Adds the topic /painted."""
        self.schemas["/painted"] = CompressedImage.get_schema()
        self.encoders["/painted"] = self._painted

    def _painted(self, outgoing: Outgoing) -> bytes:
        return self._jpeg(outgoing, outgoing.painted(self._bundle.palette))

    def _jpeg(self, outgoing: Outgoing, image: NDArray[np.uint8]) -> bytes:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        message = CompressedImage(timestamp=_stamp(outgoing), frame_id=CAMERA, data=data.tobytes(), format="jpeg")
        return message.encode()

    def _thing_map(self, outgoing: Outgoing) -> bytes:
        assert outgoing.thing_map is not None
        return self._plane(outgoing, outgoing.thing_map)

    def _plane(self, outgoing: Outgoing, plane: NDArray[np.uint8]) -> bytes:
        height, width = plane.shape
        message = RawImage(
            timestamp=_stamp(outgoing),
            frame_id=CAMERA,
            width=width,
            height=height,
            encoding="mono8",
            step=width,
            data=plane.tobytes(),
        )
        return message.encode()

    def _detections(self, outgoing: Outgoing) -> bytes:
        assert outgoing.things is not None and outgoing.thing_map is not None
        stamp = _stamp(outgoing)
        points: list[PointsAnnotation] = []
        texts: list[TextAnnotation] = []
        for place, thing in enumerate(outgoing.things):
            red, green, blue = (channel / 255 for channel in self._bundle.palette[thing["label"]])
            colour = Color(r=red, g=green, b=blue, a=1.0)
            x0, y0, x1, y1 = (float(side) for side in thing["box"])
            corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
            lines = [corners, *_outlines(outgoing.thing_map, place + 1, corners)]
            points += [_loop(line, stamp, colour) for line in lines]
            number = "" if thing["id"] == UNTRACKED else f" {thing['id']}"
            said = f"{self._bundle.classes[thing['label']]}{number} {thing['score']:.0%}"
            where = Point2(x=x0, y=y0)
            texts.append(TextAnnotation(timestamp=stamp, position=where, text=said, font_size=FONT, text_color=colour))
        return ImageAnnotations(timestamp=stamp, points=points, texts=texts).encode()


def encoding_of(schema: Schema) -> str:
    """Returns how messages of a schema are encoded, in the words of MCAP and of Foxglove's protocol."""
    return "json" if schema.encoding == "jsonschema" else schema.encoding


def timing(outgoing: Outgoing) -> bytes:
    """Returns what the frame's way through the loop took, as JSON."""
    result = outgoing.result
    figures = {
        "frame": result.frame.index,
        "sequence": outgoing.sequence,
        "latency_ms": result.latency_ms,
        "stage_ms": result.timing.stage_ms,
    }
    return json.dumps(figures).encode()


def _stamp(outgoing: Outgoing) -> Timestamp:
    return Timestamp(outgoing.captured_wall_ns // 10**9, outgoing.captured_wall_ns % 10**9)


def _loop(line: NDArray[Any], stamp: Timestamp, colour: Color) -> PointsAnnotation:
    """A closed line through [N, 2] points, x y in pixels."""
    return PointsAnnotation(
        timestamp=stamp,
        type=PointsAnnotationType.LineLoop,
        points=[Point2(x=float(x), y=float(y)) for x, y in line],
        outline_color=colour,
        thickness=LINE,
    )


def _outlines(thing_map: NDArray[np.uint8], value: int, corners: NDArray[np.float64]) -> list[NDArray[np.int32]]:
    """The outer contours of one thing, sought inside its box alone, in pixels."""
    height, width = thing_map.shape
    left, top = (int(side) for side in np.floor(corners.min(axis=0)).clip(0))
    right, bottom = (int(side) for side in np.ceil(corners.max(axis=0)).clip(0, [width, height]))
    inside = (thing_map[top:bottom, left:right] == value).astype(np.uint8)
    if not inside.any():
        return []
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top))
    return [np.asarray(contour[:, 0], np.int32) for contour in contours]
