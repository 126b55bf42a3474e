"""What the bytes of a journal segment mean. See docs/journal.md for the page with a hex dump.

Rules:
- Pure: bytes in, records out. No record is trusted whose checksum does not hold.
- A damaged stretch never hides what stands behind it: every record begins with a mark to search for.
"""

import json
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

Kind: TypeAlias = Literal["S", "C", "R", "T"]
"""S snapshot: the state when the segment began (JSON). C control: something the recorder did or noticed (JSON).
R read: the bytes of one socket read. T tail: the beginning of a frame that the segment before did not see end."""

SEGMENT_MAGIC = b"ib-recorder journal 1\n\0\0"
"""First 24 bytes of every segment; the 8 behind it are the segment's salt."""

RECORD_MAGIC = b"IBrc"
HEADER_SIZE = 32
_HEADER = struct.Struct("<4sIIIqQ")
_CHECKED = struct.Struct("<IIqQ")
_PREAMBLE = len(SEGMENT_MAGIC) + 8
_MOST_SKIP = 0x7FFFFF


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a segment.

    Attributes:
        kind: what the payload is.
        ts: when it was written, microseconds since 1970 UTC.
        seq: number of the first row that the payload holds, or that the next record will.
        payload: wire bytes or JSON.
        skip: of an R record, how many bytes from its first one on the next frame begins; what stands before belongs
            to a frame that began in an earlier read. More than the payload has: no frame begins in it, or none
            that can be read without what came before. Written in 23 bits.
        skip_rows: 1 if the frame that ends at ``skip`` is a row, else 0.
    """

    kind: Kind
    ts: int
    seq: int
    payload: bytes
    skip: int = 0
    skip_rows: int = 0

    def json(self) -> dict[str, Any]:
        """The payload of an S or C record."""
        value: dict[str, Any] = json.loads(self.payload)
        return value


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of a segment that holds no readable record: ``size`` bytes from ``offset`` on."""

    offset: int
    size: int


def dump(content: dict[str, Any]) -> bytes:
    """The payload of an S or C record: JSON without spaces, readable in a hex dump."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def rows_of(content: dict[str, Any]) -> int:
    """How many numbers a C record takes: one a tick of ``backfill``, and one for its own row of ``events``."""
    return len(content.get("ticks", ())) + 1 if content.get("row", True) else 0


class NotASegmentError(ValueError):
    """The bytes do not begin as a segment does."""


def preamble() -> bytes:
    """The first bytes of a new segment: magic and a fresh salt."""
    return SEGMENT_MAGIC + os.urandom(8)


def header(salt: bytes, record: Record) -> bytes:
    """The 32 bytes before a record's payload. The salt keeps stale bytes of reused disk space from counting."""
    kind = ord(record.kind) | min(record.skip, _MOST_SKIP) << 8 | record.skip_rows << 31
    checked = (len(record.payload), kind, record.ts, record.seq)
    checksum = zlib.crc32(record.payload, zlib.crc32(_CHECKED.pack(*checked), zlib.crc32(salt)))
    return _HEADER.pack(RECORD_MAGIC, checksum, *checked)


def scan(segment: bytes) -> Iterator[Record | Damage]:
    """The records of a segment in order, and each stretch that holds none.

    A torn tail is the last ``Damage``. Raises ``NotASegmentError`` when the preamble is not there.
    """
    if not segment.startswith(SEGMENT_MAGIC) or len(segment) < _PREAMBLE:
        raise NotASegmentError(f"begins with {segment[:24]!r}, a journal segment with {SEGMENT_MAGIC!r}")
    salt = segment[len(SEGMENT_MAGIC) : _PREAMBLE]
    at = _PREAMBLE
    while at < len(segment):
        record = _record_at(segment, at, salt)
        if record is None:
            found = _next_record(segment, at + 1, salt)
            yield Damage(at, found - at)
            at = found
        else:
            yield record
            at += HEADER_SIZE + len(record.payload)


def _record_at(segment: bytes, at: int, salt: bytes) -> Record | None:
    if len(segment) - at < HEADER_SIZE or segment[at : at + 4] != RECORD_MAGIC:
        return None
    _, checksum, length, kind, ts, seq = _HEADER.unpack_from(segment, at)
    begin = at + HEADER_SIZE
    if begin + length > len(segment):
        return None
    payload = segment[begin : begin + length]
    expected = zlib.crc32(payload, zlib.crc32(segment[at + 8 : begin], zlib.crc32(salt)))
    if checksum != expected:
        return None
    return Record(cast("Kind", chr(kind & 0xFF)), ts, seq, payload, kind >> 8 & _MOST_SKIP, kind >> 31)


def _next_record(segment: bytes, at: int, salt: bytes) -> int:
    while (at := segment.find(RECORD_MAGIC, at)) >= 0:
        if _record_at(segment, at, salt) is not None:
            return at
        at += 1
    return len(segment)
