"""How long a clip's own headers say that its file is, which tells a clip that was cut off from one that simply ends.

Frame counts in headers do not tell: edit lists, dropped frames and careless writers make them wrong in sound clips.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_MP4_BOXES = frozenset(b"ftyp styp moov moof mdat mfra sidx free skip wide udta uuid".split())
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_TS_SYNC, _TS_PACKET = b"\x47", 188


def promised_bytes(path: Path) -> int:
    """Returns how many bytes the headers of an mp4/mov, avi, mkv/webm or ts file promise; 0 where nothing does."""
    with path.open("rb") as file:
        head = file.read(_TS_PACKET + 1)
        if head[4:8] in _MP4_BOXES:
            return _end_of_boxes(file)
        if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            return _end_of_riffs(file)
        if head[:4] == _EBML:
            return _end_of_segment(file)
        if head[:1] == head[_TS_PACKET:] == _TS_SYNC:
            return -(-path.stat().st_size // _TS_PACKET) * _TS_PACKET
    return 0


def _end_of_boxes(file: BinaryIO) -> int:
    """Walks the top-level boxes of ISO/IEC 14496-12: size, type. After a size of 1 come 64 bits; 0 means to the end."""
    position = 0
    while True:
        file.seek(position)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if head[4:8] not in _MP4_BOXES or size == 0:
            return position
        position += int.from_bytes(head[8:], "big") if size == 1 else size


def _end_of_riffs(file: BinaryIO) -> int:
    """Walks the RIFF chunks of an AVI; OpenDML files have several. Recorders that broke off leave a size of 0."""
    position = 0
    while True:
        file.seek(position)
        head = file.read(8)
        size = int.from_bytes(head[4:], "little")
        if head[:4] != b"RIFF" or size == 0:
            return position
        position += 8 + size


def _end_of_segment(file: BinaryIO) -> int:
    """Reads the sizes of the EBML header and the segment after it (RFC 8794); a live recording's segment has none."""
    file.seek(4)
    header = _variable_size(file)
    if header is None:
        return 0
    file.seek(header, 1)
    if file.read(4) != _SEGMENT:
        return 0
    segment = _variable_size(file)
    return 0 if segment is None else file.tell() + segment


def _variable_size(file: BinaryIO) -> int | None:
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    length = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(length - 1), "big") - (1 << 7 * length)
    return None if value == (1 << 7 * length) - 1 else value
