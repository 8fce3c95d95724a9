"""A clip gives every frame that is in it, and says in one line what is wrong with it."""

from __future__ import annotations

import struct
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from edgeseg.core.errors import SourceError
from edgeseg.core.result import Frame
from edgeseg.streaming.sources.video import VideoSource

from .conftest import ClipWriter, bars, read_bars

H264_WITH_B_FRAMES = {"bf": "3", "g": "12"}


def frames_before_error(path: Path) -> tuple[list[Frame], str]:
    frames: list[Frame] = []
    try:
        for frame in VideoSource(path):
            frames.append(frame)  # noqa: PERF402, those before the error are kept
    except SourceError as error:
        message = str(error)
    else:
        pytest.fail("no error was raised")
    assert "\n" not in message
    return frames, message


def cut(path: Path, share: float) -> Path:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return path


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", H264_WITH_B_FRAMES),
        ("a.avi", "mpeg4", {}),
        ("a.mkv", "libx264", {}),
        ("a.ts", "libx264", H264_WITH_B_FRAMES),
        ("a.mov", "mjpeg", {"strict": "unofficial"}),
    ],
)
def test_every_frame_comes_once_and_in_order(clip: ClipWriter, name: str, codec: str, options: dict[str, str]) -> None:
    with VideoSource(clip(name, codec=codec, codec_options=options)) as source:
        assert not source.live
        assert source.fps == 25
        assert source.frames == 30
        frames = list(source)
    assert [read_bars(frame.image) for frame in frames] == list(range(30))
    assert [frame.index for frame in frames] == list(range(30))
    assert not any(frame.damage or frame.stale for frame in frames)


def test_frames_are_bgr_and_stamped_on_the_monotonic_clock(tmp_path: Path) -> None:
    path = tmp_path / "blue.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        blue = np.full((96, 160, 3), (250, 20, 10), np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(blue, format="bgr24")))
        container.mux(stream.encode())
    before = time.monotonic_ns()
    with VideoSource(path) as source:
        (frame,) = source
    assert np.abs(frame.image.astype(int) - blue).max() < 12
    assert frame.image.flags.c_contiguous
    assert before <= frame.captured_ns <= frame.captured_ns + frame.decode_ns <= time.monotonic_ns()
    assert frame.decode_ns > 0


def test_a_clip_that_was_filmed_upright_stands_upright(clip: ClipWriter) -> None:
    with VideoSource(clip("phone.mp4", rotation=90, count=3)) as source:
        frames = list(source)
    assert frames[2].image.shape == (160, 96, 3)
    # Turned a quarter to the left, what was the right end of the bars is now at the top.
    assert read_bars(np.rot90(frames[2].image, -1)) == 2


def test_the_picture_may_change_its_size(tmp_path: Path) -> None:
    path = tmp_path / "sizes.h264"
    with path.open("wb") as file:
        for width, height in ((160, 96), (320, 192)):
            encoder = av.CodecContext.create("libx264", "w")
            assert isinstance(encoder, av.VideoCodecContext)
            encoder.width, encoder.height, encoder.pix_fmt, encoder.framerate = width, height, "yuv420p", Fraction(25)
            for number in range(4):
                picture = av.VideoFrame.from_ndarray(bars(number, width, height), format="bgr24")
                file.writelines(bytes(packet) for packet in encoder.encode(picture))
            file.writelines(bytes(packet) for packet in encoder.encode())
    with VideoSource(path) as source:
        shapes = [frame.image.shape[:2] for frame in source]
    assert shapes == [(96, 160)] * 4 + [(192, 320)] * 4


@pytest.mark.parametrize(
    ("name", "codec", "container_options"),
    [
        ("front.mp4", "libx264", {"movflags": "faststart"}),
        ("fragments.mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}),
        ("cut.avi", "mpeg4", {}),
        ("cut.mkv", "libx264", {}),
    ],
)
def test_a_clip_cut_in_the_middle_gives_what_is_before_the_cut_and_says_so(
    clip: ClipWriter, name: str, codec: str, container_options: dict[str, str]
) -> None:
    path = cut(clip(name, codec=codec, container_options=container_options, codec_options={"g": "5"}), 0.6)
    frames, message = frames_before_error(path)
    numbers = [read_bars(frame.image) for frame in frames]
    assert 5 < len(numbers) < 25
    assert numbers == list(range(len(numbers)))
    assert not any(frame.damage for frame in frames)
    assert f"{path} is cut off: it ends after frame {len(numbers)}" in message


def test_the_cut_is_told_with_the_frames_that_there_should_be(clip: ClipWriter) -> None:
    path = cut(clip("front.mp4", container_options={"movflags": "faststart"}), 0.7)
    frames, message = frames_before_error(path)
    assert f"after frame {len(frames)} of 30" in message


def test_a_transport_stream_torn_in_a_packet_is_cut_one_that_ends_between_packets_is_not(clip: ClipWriter) -> None:
    path = clip("a.ts")
    whole = path.read_bytes()
    path.write_bytes(whole[: 188 * (len(whole) // 188 * 2 // 3) + 50])
    assert "is cut off" in frames_before_error(path)[1]
    path.write_bytes(whole)
    with VideoSource(path) as source:
        assert len(list(source)) == 30


def test_an_mp4_whose_index_is_missing_says_so(clip: ClipWriter) -> None:
    frames, message = frames_before_error(cut(clip("a.mp4"), 0.6))
    assert not frames
    assert "cut off before its index" in message


def test_a_wrong_frame_count_in_the_header_is_no_cut(clip: ClipWriter) -> None:
    path = clip("a.avi", codec="mpeg4")
    data = bytearray(path.read_bytes())
    position = data.index(b"strh") + 8 + 32
    assert struct.unpack_from("<I", data, position) == (30,)
    struct.pack_into("<I", data, position, 99)
    path.write_bytes(data)
    with VideoSource(path) as source:
        assert len(list(source)) == 30


def test_a_header_that_promises_too_many_bytes_is_no_cut_where_every_frame_is_there(clip: ClipWriter) -> None:
    path = clip("a.avi", codec="mpeg4")
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 4, len(data))
    path.write_bytes(data)
    with VideoSource(path) as source:
        assert len(list(source)) == 30


def test_bytes_after_the_end_are_no_cut(clip: ClipWriter) -> None:
    path = clip("a.mp4")
    path.write_bytes(path.read_bytes() + b"\xff" * 1000)
    with VideoSource(path) as source:
        assert len(list(source)) == 30


def test_a_frame_that_cannot_be_decoded_is_marked_and_the_rest_comes(clip: ClipWriter) -> None:
    path = clip("a.mov", codec="mjpeg", codec_options={"strict": "unofficial"})
    with av.open(str(path)) as container:
        packet = next(packet for number, packet in enumerate(container.demux(video=0)) if number == 10)
        position, size = packet.pos, packet.size
    assert position is not None
    data = bytearray(path.read_bytes())
    data[position : position + size] = bytes(size)
    path.write_bytes(data)
    with VideoSource(path) as source:
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.index for frame in frames if frame.damage] == [10]
    assert read_bars(frames[29].image) == 29


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^no such file: .*nothing\.mp4$"):
        VideoSource(tmp_path / "nothing.mp4")


@pytest.mark.parametrize(("content", "words"), [(b"", "is empty"), (b"this is no video\n" * 40, "is no video that")])
def test_what_is_no_video(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "text.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=words):
        VideoSource(path)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 16000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(SourceError, match="holds no pictures"):
        VideoSource(path)


def test_a_name_with_a_colon_is_a_name(clip: ClipWriter) -> None:
    with VideoSource(clip("concat:12:30.mp4", count=2)) as source:
        assert len(list(source)) == 2


def test_closing_ends_the_iteration(clip: ClipWriter) -> None:
    source = VideoSource(clip("a.mp4"))
    frames = iter(source)
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []
