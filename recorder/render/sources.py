"""Where rows can be had from once more: segments of the archive, set aside, and waiting to be archived.

Rule: of those of one number it is one without damage, the archive's before others; else the first that reads.
"""

import contextlib
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recorder.journal.folder import Checkpoint, number, segments
from recorder.journal.format import Damage, NotASegmentError, Record, scan
from recorder.journal.state import State
from recorder.render.archive import archived, decompressed
from recorder.render.damage import Run
from recorder.render.tables import Rendered, render
from recorder.render.torn import first_record

_KEPT = re.compile(r"(\d+)(?:\.\d+)?\.journal")
"""A segment set aside, and another of its name; one with a reason in its name is no source."""


@dataclass(frozen=True, slots=True)
class Source:
    """A segment that was rendered before.

    Attributes:
        path: where it lies.
        number: the segment's number.
        first_seq: number of its first row.
        next_seq: number of the first row of the source behind it; it holds none from there on.
        is_whole: whether it says itself what it began with.
    """

    path: Path
    number: int
    first_seq: int
    next_seq: int
    is_whole: bool

    def content(self) -> bytes:
        """The segment's bytes.

        Raises:
            OSError: they cannot be read.
        """
        return _content(self.path)


def sources(root: Path, checkpoint: Checkpoint) -> list[Source]:
    """All there are, by number; one that does not read is none."""
    found = ((at, _best(paths)) for at, paths in sorted(_lying(root, checkpoint).items()))
    firsts = [(path, at, record) for at, best in found for path, record in best]
    ends = [*(record.seq for _, _, record in firsts), checkpoint.next_seq][1:]
    return [
        Source(path, at, record.seq, end, record.kind == "S")
        for (path, at, record), end in zip(firsts, ends, strict=False)
    ]


def _lying(root: Path, checkpoint: Checkpoint) -> dict[int, list[Path]]:
    """The files there are of each number, the archive's first."""
    paths: dict[int, list[Path]] = defaultdict(list)
    for one in archived(root):
        paths[one.number].append(one.path)
    for path in sorted((root / "journal" / "set-aside").glob("*.journal")):
        if named := _KEPT.fullmatch(path.name):
            paths[int(named[1])].append(path)
    for path in segments(root):
        if number(path) < checkpoint.next_segment:
            paths[number(path)].append(path)
    return paths


def _best(paths: list[Path]) -> list[tuple[Path, Record]]:
    """The one that is taken, and its first record; none, if none reads."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError, NotASegmentError):
            content = _content(path)
            record = first_record(content)
            if record is None:
                continue
            if len(paths) == 1 or not any(isinstance(one, Damage) for one in scan(content)):
                return [(path, record)]
            found.append((path, record))
    return found[:1]


def rendered(found: list[Source], wanted: list[Run]) -> Iterator[tuple[Source, Rendered]]:
    """The sources that may hold some of the numbers, rendered."""
    for place, one in enumerate(found):
        if any(first < one.next_seq and last >= one.first_seq for first, last in wanted):
            before = _state_before(found[:place], one)
            yield one, render(one.content(), before)


def _state_before(earlier: list[Source], one: Source) -> State | None:
    """What a segment whose beginning is damaged began with: where the one before it ended."""
    if one.is_whole or not earlier or earlier[-1].number != one.number - 1:
        return None
    return render(earlier[-1].content()).state


def _content(path: Path) -> bytes:
    return decompressed(path) if path.suffix == ".zst" else path.read_bytes()
