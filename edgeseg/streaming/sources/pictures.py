"""FFmpeg's packets into pictures, for files and streams alike."""

from __future__ import annotations

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.error import EOFError as EndOfFileError
from av.error import InvalidDataError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, -90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, -180: cv2.ROTATE_180}


def picture_stream(container: InputContainer) -> VideoStream | None:
    """Returns the first stream of moving pictures; the cover of a music file is none."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    return None


def expected_frames(container: InputContainer, stream: VideoStream) -> int | None:
    """Returns how many frames the headers promise, or None where they don't say."""
    if stream.frames:
        return stream.frames
    if not stream.average_rate:
        return None
    if stream.duration and stream.time_base:
        return round(stream.duration * stream.time_base * stream.average_rate)
    return round(container.duration * stream.average_rate / av.time_base) if container.duration else None


def decoded(packet: av.Packet) -> list[VideoFrame | str]:
    """Returns the pictures that this packet completes, or why there is none."""
    try:
        return [picture for picture in packet.decode() if isinstance(picture, VideoFrame)]
    except EndOfFileError:  # a decoder that was flushed has no more
        return []
    except InvalidDataError:
        return ["a frame could not be decoded: invalid data"]


def damage_of(picture: VideoFrame) -> str:
    """Returns why the picture must not be used, "" where it is sound."""
    return "the decoder reports missing data" if picture.is_corrupt else ""


def to_bgr(picture: VideoFrame) -> NDArray[np.uint8]:
    """Returns uint8 [H, W, 3], BGR, turned as the file's metadata says."""
    image = np.asarray(picture.to_ndarray(format="bgr24", threads=1), np.uint8)
    turn = _TURNS.get(picture.rotation)
    return image if turn is None else np.asarray(cv2.rotate(image, turn), np.uint8)
