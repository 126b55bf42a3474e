"""Bytes of the socket to frames: where each message begins and ends.

Rules:
- The length prefixes alone decide; the fast way only guesses where frames begin and every guess is checked
  against the prefixes, so that both ways find the same bounds in any bytes whatever.
- Nothing here knows what a message means.
"""

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recorder.wire.layouts import MAX_FRAME

Positions = npt.NDArray[np.int64]

_PREFIX = 4
_FEW_BYTES = 5000
"""Below this many bytes a plain loop is faster than a dozen array operations (they meet at some 150 frames)."""

_length_at = struct.Struct(">I").unpack_from


@dataclass(frozen=True, slots=True)
class Bounds:
    """The whole frames of a stretch of bytes.

    Attributes:
        starts: offset of each frame's first byte behind its prefix.
        ends: offset behind each frame's last byte.
        consumed: offset behind the last whole frame; what follows is the beginning of the next one.
        broken: whether a prefix there announces more than a frame can be: the stream cannot be followed further.
    """

    starts: Positions
    ends: Positions
    consumed: int
    broken: bool


def split(data: bytes) -> Bounds:
    """The frames in ``data``, which begins with a frame's prefix."""
    starts, consumed, broken = _loop(data, 0, len(data)) if len(data) < _FEW_BYTES else _leap(data)
    starts_array = np.asarray(starts, dtype=np.int64)
    ends = np.empty_like(starts_array)
    if len(ends):
        ends[:-1] = starts_array[1:] - _PREFIX
        ends[-1] = consumed
    return Bounds(starts_array, ends, consumed, broken)


def _loop(data: bytes, at: int, until: int) -> tuple[list[int], int, bool]:
    """Follow the prefixes one by one from ``at`` until a frame begins at ``until`` or behind it."""
    starts: list[int] = []
    size = len(data)
    while at < until and at + _PREFIX <= size:
        length = _length_at(data, at)[0]
        if length > MAX_FRAME:
            return starts, at, True
        end = at + _PREFIX + length
        if end > size:
            break
        starts.append(at + _PREFIX)
        at = end
    return starts, at, False


def _leap(data: bytes) -> tuple[Positions, int, bool]:
    """Guess all frame beginnings at once, then keep the runs that the prefixes confirm."""
    guesses = _guesses(data)
    following = guesses + _PREFIX + np.frombuffer(data, np.uint8)[guesses + _PREFIX - 1]
    right = following[:-1] == guesses[1:]
    wrong = np.append(np.flatnonzero(~right), len(guesses) - 1)
    pieces: list[Positions] = []
    at, broken = 0, False
    while True:
        index = int(np.searchsorted(guesses, at))
        if index < len(guesses) and guesses[index] == at:
            last = int(wrong[np.searchsorted(wrong, index)])
            pieces.append(guesses[index:last] + _PREFIX)
            at = int(guesses[last])
        until = int(guesses[index]) if index < len(guesses) and guesses[index] > at else at + 1
        walked, moved, broken = _loop(data, at, until)
        pieces.append(np.asarray(walked, dtype=np.int64))
        if moved == at or broken:
            return np.concatenate(pieces), moved, broken
        at = moved


def _guesses(data: bytes) -> Positions:
    """Where a frame of up to 255 bytes may begin: the NUL before it, three zero bytes, a byte that is not."""
    a = np.frombuffer(data, np.uint8)
    zeros = a == 0
    hits = zeros[:-4] & zeros[1:-3] & zeros[2:-2] & zeros[3:-1] & ~zeros[4:]
    guesses = np.flatnonzero(hits) + 1
    first = np.zeros(1, np.int64)
    return np.concatenate((first, guesses)) if zeros[:3].all() and not zeros[3] else guesses
