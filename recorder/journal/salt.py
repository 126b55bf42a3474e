"""What a segment's salt did to its records' checksums, found again when the bytes that hold it are lost.

A CRC can be run backwards: a record's checksum and bytes tell the value that went in before them, which is the CRC of
the salt. Two records that tell the same one are proof enough (one in four thousand million by chance).
"""

import zlib
from collections.abc import Iterable
from itertools import islice

_ONES = 0xFFFFFFFF
_TABLE = [zlib.crc32(bytes([n]), _ONES) ^ _ONES for n in range(256)]
"""What each byte does to a register of zeros; all entries differ in their highest byte."""

_BY_HIGHEST = {entry >> 24: n for n, entry in enumerate(_TABLE)}

_MOST_BYTES, _MOST_RECORDS = 1024 * 1024, 1000
"""How much is run backwards at most: 0.2 s."""


def before(checksum: int, data: bytes) -> int:
    """The CRC-32 that ``data`` was added to, if ``checksum`` came out."""
    register = checksum ^ _ONES
    for byte in reversed(data):
        place = _BY_HIGHEST[register >> 24]
        register = ((register ^ _TABLE[place]) << 8 & _ONES) | place ^ byte
    return register ^ _ONES


def agreed(records: Iterable[tuple[int, bytes]]) -> int | None:
    """What two of the records (checksum, bytes) tell alike, the foremost such; None: no two do."""
    told: set[int] = set()
    left = _MOST_BYTES
    for checksum, data in islice(records, _MOST_RECORDS):
        if len(data) > left:
            continue
        left -= len(data)
        value = before(checksum, data)
        if value in told:
            return value
        told.add(value)
    return None
