"""What the bytes of a journal segment mean. See docs/journal.md for the page with a hex dump.

Rules:
- Pure: bytes in, records out. No record is trusted whose checksum does not hold.
- A damaged stretch never hides what stands behind it: every record begins with a mark to search for.
"""

import json
import os
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from recorder.journal import salt as salts

Kind: TypeAlias = Literal["S", "C", "R", "T"]
"""S snapshot: the state when the segment began (JSON). C control: something the recorder did or noticed (JSON).
R read: the bytes of one socket read. T tail: the beginning of a frame that the segment before did not see end."""

VERSION = 2
"""What is written: 2 knows ``overflow`` records. Version 1 is the same without them, and is read."""

SEGMENT_MAGIC = b"ib-recorder journal %d\n\0\0" % VERSION
"""First 24 bytes of every segment; the 8 behind it are the segment's salt."""

READ_VERSIONS = (1, 2)
"""Versions of a segment that are read; 1 lacks ``overflow``."""

RECORD_MAGIC = b"IBrc"
HEADER_SIZE = 32
_HEADER = struct.Struct("<4sIIIqQ")
_CHECKED = struct.Struct("<IIqQ")
_PREAMBLE = len(SEGMENT_MAGIC) + 8
_MOST_SKIP = 0x7FFFFF
_ANY_MAGIC = re.compile(rb"ib-recorder journal ([0-9]{1,9})\n\0*")
_MARK = re.compile(rb"IBrc(?=.{8}[SCRT])", re.DOTALL)
"""A mark with the name of a kind where one belongs: what is worth a look."""


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


class NewerSegmentError(NotASegmentError):
    """A segment of a version that this one does not know: to be left where it is."""


def preamble() -> bytes:
    """The first bytes of a new segment: magic and a fresh salt."""
    return SEGMENT_MAGIC + os.urandom(8)


def header(salt: bytes, record: Record) -> bytes:
    """The 32 bytes before a record's payload. The salt keeps stale bytes of reused disk space from counting."""
    kind = ord(record.kind) | min(record.skip, _MOST_SKIP) << 8 | record.skip_rows << 31
    checked = (len(record.payload), kind, record.ts, record.seq)
    checksum = zlib.crc32(record.payload, zlib.crc32(_CHECKED.pack(*checked), zlib.crc32(salt)))
    return _HEADER.pack(RECORD_MAGIC, checksum, *checked)


def version(segment: bytes) -> int | None:
    """The version that a segment's first bytes state; None: they are not those of a segment."""
    found = _ANY_MAGIC.fullmatch(segment[: len(SEGMENT_MAGIC)])
    return int(found[1]) if found else None


def scan(segment: bytes) -> Iterator[Record | Damage]:
    """The records of a segment in order, and each stretch that holds none.

    A torn tail is the last ``Damage``; a beginning that is lost is the first one. Linear in the segment's size.
    A record whose number has been passed already stands in a stale block of this very segment: that is damage, too.

    Raises:
        NotASegmentError: the bytes do not begin as a segment does, and no two records in them belong together.
        NewerSegmentError: a newer version wrote it.
    """
    _refuse_newer(segment)
    salt, at = _beginning(segment)
    passed = _Passed()
    if at == 0:
        at = _next_record(segment, 0, salt, passed)
        yield Damage(0, at)
    while at < len(segment):
        record = _record_at(segment, at, salt)
        if record is None or record in passed:
            found = _next_record(segment, at + 1, salt, passed)
            yield Damage(at, found - at)
            at = found
        else:
            yield record
            passed.add(record)
            at += HEADER_SIZE + len(record.payload)


class _Passed:
    """What has been read of a segment: numbers only ever rise in it, and no record stands in it twice."""

    def __init__(self) -> None:
        self._seq = -1
        self._of_that_number: set[Record] = set()

    def __contains__(self, record: Record) -> bool:
        return record.seq < self._seq or record in self._of_that_number

    def add(self, record: Record) -> None:
        if record.seq > self._seq:
            self._seq, self._of_that_number = record.seq, set()
        self._of_that_number.add(record)


def _refuse_newer(segment: bytes) -> None:
    stated = version(segment)
    if stated is not None and stated > VERSION:
        raise NewerSegmentError(f"a segment of version {stated}; this version reads up to {VERSION}: update")


def _beginning(segment: bytes) -> tuple[int, int]:
    """The CRC of the salt, and where the first record stands; 0: what should stand before it is damaged.

    Behind a magic that reads, another salt than the stated one is believed only if the very first record is written
    with it: else it is that of stale blocks behind a torn beginning.
    """
    stated = zlib.crc32(segment[len(SEGMENT_MAGIC) : _PREAMBLE])
    is_right = version(segment) in READ_VERSIONS and len(segment) >= _PREAMBLE
    if is_right and (len(segment) == _PREAMBLE or _record_at(segment, _PREAMBLE, stated)):
        return stated, _PREAMBLE
    found = salts.agreed(_candidates(segment))
    if is_right and (found is None or _record_at(segment, _PREAMBLE, found) is None):
        return stated, _PREAMBLE
    if found is None:
        raise NotASegmentError(f"begins with {segment[:24]!r}, a journal segment with {SEGMENT_MAGIC!r}")
    return found, 0


def _candidates(segment: bytes) -> Iterator[tuple[int, bytes]]:
    """What may be records, whatever the salt: checksum, and the bytes it was made of behind the salt."""
    for found in _MARK.finditer(segment, 0, max(len(segment) - HEADER_SIZE, 0)):
        at = found.start()
        _, checksum, length, *_ = _HEADER.unpack_from(segment, at)
        end = at + HEADER_SIZE + length
        if end <= len(segment):
            yield checksum, segment[at + 8 : end]


def _record_at(segment: bytes, at: int, salt: int) -> Record | None:
    if len(segment) - at < HEADER_SIZE or segment[at : at + 4] != RECORD_MAGIC:
        return None
    _, checksum, length, kind, ts, seq = _HEADER.unpack_from(segment, at)
    begin = at + HEADER_SIZE
    if begin + length > len(segment):
        return None
    payload = segment[begin : begin + length]
    if checksum != zlib.crc32(payload, zlib.crc32(segment[at + 8 : begin], salt)):
        return None
    return Record(cast("Kind", chr(kind & 0xFF)), ts, seq, payload, kind >> 8 & _MOST_SKIP, kind >> 31)


def _next_record(segment: bytes, at: int, salt: int, passed: _Passed) -> int:
    while found := _MARK.search(segment, at):
        at = found.start()
        record = _record_at(segment, at, salt)
        if record is not None and record not in passed:
            return at
        at += HEADER_SIZE + len(record.payload) if record is not None else 1
    return len(segment)
