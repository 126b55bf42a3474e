"""Where rows can be had from once more: segments of the archive, set aside, and waiting to be archived."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recorder.journal.folder import Checkpoint, number, segments
from recorder.journal.format import NotASegmentError
from recorder.journal.state import State
from recorder.render.archive import archived, decompressed
from recorder.render.damage import Run
from recorder.render.tables import Rendered, render
from recorder.render.torn import first_record


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
    aside = [path for path in (root / "journal" / "set-aside").glob("*.journal") if path.stem.isdecimal()]
    published = [path for path in segments(root) if number(path) < checkpoint.next_segment]
    paths = {number(path): path for path in (*published, *aside)}
    paths |= {one.number: one.path for one in archived(root)}
    firsts = []
    for at, path in sorted(paths.items()):
        with contextlib.suppress(OSError, NotASegmentError):
            record = first_record(_content(path))
            if record is not None:
                firsts.append((path, at, record.seq, record.kind == "S"))
    ends = [*(first for _, _, first, _ in firsts), checkpoint.next_seq][1:]
    return [Source(*one[:3], end, one[3]) for one, end in zip(firsts, ends, strict=False)]


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
