"""Every segment left behind into Parquet: what happens at each flush, at start and after a crash.

Rule: one way for all three. A segment goes only when all its rows are durably in their tables and the checkpoint
says what comes after it; being killed anywhere in between means doing the same again, with the same result.
One at a time: whoever comes while another renders the same root waits for it.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recorder.journal import folder
from recorder.journal.folder import Checkpoint
from recorder.journal.format import NotASegmentError
from recorder.journal.lock import rendering
from recorder.render.lasts import kept, note
from recorder.render.publish import Published, partitions, publish
from recorder.render.tables import Rendered, render
from recorder.schema import MARKET_TABLES


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of one segment.

    Attributes:
        segment: its file name.
        bytes: its size.
        rows: rows of market data in it.
        lost: bytes in it that damage kept from becoming rows; the segment is then kept in ``journal/set-aside``.
        files: the files published.
        seconds: how long it took.
    """

    segment: str
    bytes: int
    rows: int
    lost: int
    files: list[Published]
    seconds: float


def recover(root: Path, before: int | None = None) -> Iterator[Recovered]:
    """Turn the segments numbered below ``before`` (all, if None) into Parquet, oldest first.

    Raises:
        NotARecordingError: ``root`` is no recording.
        PublishError, OSError: a file could not be published; its segment stays.
    """
    folder.load(root)  # a folder that is no recording gets no lock file
    with rendering(root):
        checkpoint = folder.load(root)
        for path in folder.segments(root):
            if before is None or folder.number(path) < before:
                yield _recover_one(root, path, checkpoint)


def resume(root: Path) -> Checkpoint:
    """Where recording goes on: the checkpoint, and behind it whatever segments could not be rendered yet."""
    with rendering(root):
        checkpoint = folder.load(root)
        for path in folder.segments(root):
            with contextlib.suppress(NotASegmentError):
                _fold(checkpoint, render(path.read_bytes(), checkpoint.state))
            checkpoint.next_segment = max(checkpoint.next_segment, folder.number(path) + 1)
        return checkpoint


def _recover_one(root: Path, path: Path, checkpoint: Checkpoint) -> Recovered:
    began = time.perf_counter()
    content = path.read_bytes()
    try:
        rendered = render(content, checkpoint.state)
    except NotASegmentError:
        _advance(root, checkpoint, folder.number(path))
        _set_aside(root, path)
        return Recovered(path.name, len(content), 0, len(content), [], time.perf_counter() - began)
    last_seq = rendered.next_seq - 1
    # A segment behind the checkpoint is in the tables already, under whatever names its rows have by now.
    parts = partitions(rendered.tables, rendered.first_seq, last_seq)
    behind = folder.number(path) < checkpoint.next_segment
    files = [] if behind else [publish(root, part) for part in parts]
    _fold(checkpoint, rendered)
    _advance(root, checkpoint, folder.number(path))
    if rendered.lost:
        _set_aside(root, path)
    else:
        path.unlink()
        folder.sync_folder(path.parent)
    rows = sum(len(rendered.tables[name]) for name in MARKET_TABLES if name in rendered.tables)
    return Recovered(path.name, len(content), rows, rendered.lost, files, time.perf_counter() - began)


def _advance(root: Path, checkpoint: Checkpoint, number: int) -> None:
    checkpoint.next_segment = max(checkpoint.next_segment, number + 1)
    folder.save(root, checkpoint)


def _fold(checkpoint: Checkpoint, rendered: Rendered) -> None:
    checkpoint.next_seq = max(checkpoint.next_seq, rendered.next_seq)
    checkpoint.last_ts = max(checkpoint.last_ts, rendered.last_ts)
    checkpoint.state = rendered.state
    for key, mark in rendered.lasts.items():
        note(checkpoint.lasts, key, mark)
    live = [rendered.state.requests[req] for req in rendered.state.live]
    checkpoint.lasts = kept(checkpoint.lasts, [(request.symbol, request.stream) for request in live])


def _set_aside(root: Path, path: Path) -> None:
    """Keep a damaged segment: bytes that could not be read today may be read by someone tomorrow."""
    aside = root / "journal" / "set-aside"
    aside.mkdir(exist_ok=True)
    path.rename(aside / path.name)
    folder.sync_folder(aside)
    folder.sync_folder(path.parent)
