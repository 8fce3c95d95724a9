"""Just enough of protobuf's wire format to look into a message without its generated code."""

from __future__ import annotations


def fields(data: bytes) -> dict[int, int | bytes]:
    """Returns field number -> value: an int, or the bytes of a string, of bytes or of a message. The last one of each counts."""
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            found[number], at = _varint(data, at)
        elif kind == 2:
            size, at = _varint(data, at)
            found[number] = data[at : at + size]
            at += size
        else:
            size = {1: 8, 5: 4}[kind]
            found[number] = int.from_bytes(data[at : at + size], "little")
            at += size
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at
