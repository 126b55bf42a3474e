"""Every segment left behind into Parquet: what happens at each flush, at start and after a crash.

Rules:
- One way for all three. A segment goes only when all its rows are durably in their tables and the checkpoint says what
  comes after it; being killed anywhere in between means doing the same again, with the same result. One that is found
  behind the checkpoint goes if its rows are there still, or the archive keeps it.
- One at a time: whoever comes while another renders the same root waits for it.
- In order: a segment that the archive cannot take stays, and with it those behind it; their rows are published.
- Numbers that are lost are in a gap of reason ``damaged`` before the checkpoint goes past them.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from recorder.journal import folder
from recorder.journal import format as segment_format
from recorder.journal.durable import sync_folder
from recorder.journal.folder import FORMAT, Checkpoint, NotARecordingError
from recorder.journal.format import NotASegmentError, Record
from recorder.journal.lock import rendering
from recorder.journal.state import State, live
from recorder.render import aside
from recorder.render.archive import NotArchivedError, archive
from recorder.render.damage import Hole, Live, as_partitions, holes, streams
from recorder.render.lasts import kept, note
from recorder.render.leftover import Leftover
from recorder.render.placed import not_placed
from recorder.render.publish import Partition, Published, PublishError, partitions, publish
from recorder.render.tables import Rendered, follow, render
from recorder.render.torn import cut, first_record, is_barely_begun
from recorder.schema import MARKET_TABLES
from recorder.wire.activity import Mark


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
        missing: numbers that are lost, in it or right before it; they are in a gap of reason ``damaged``.
        torn: bytes behind its last record that nobody finished writing; kept in ``journal/set-aside``.
    """

    segment: str
    bytes: int
    rows: int = 0
    lost: int = 0
    files: list[Published] = field(default_factory=list)
    seconds: float = 0.0
    missing: int = 0
    torn: int = 0


class NotRenderedError(PublishError):
    """This version stumbles over something in a segment: it stays in the journal, and those behind it."""

    def __init__(self, path: Path, error: Exception) -> None:
        found = f"{type(error).__name__}: {' '.join(str(error).split())}"
        super().__init__(
            f"{path}: this version cannot make rows of it ({found}); it stays, as does all that is recorded behind it, "
            "until a newer version can: update, and run ib-recorder recover"
        )


def recover(root: Path, before: int | None = None) -> Iterator[Recovered]:
    """Turn the segments numbered below ``before`` (all, if None) into Parquet, oldest first.

    Raises:
        NotARecordingError: ``root`` is no recording, or holds a segment of a newer version.
        PublishError, OSError: a file could not be published; its segment stays.
        NotArchivedError: all was published, but segments stay that are to be archived.
        NotRenderedError: a segment cannot be made rows of; it stays, and those behind it.
    """
    folder.load(root)  # a folder that is no recording gets no lock file
    with rendering(root):
        checkpoint = folder.load(root)
        waiting = [path for path in folder.segments(root) if before is None or folder.number(path) < before]
        _refuse_newer(waiting)
        aside.sweep(root)
        refused: list[NotArchivedError] = []
        behind = [path for path in waiting if not _is_new(path, checkpoint)]
        leftover = Leftover(root, [] if checkpoint.archive else behind, checkpoint.kept_seq)
        for path in waiting:
            if not refused or _is_new(path, checkpoint):
                began = time.perf_counter()
                done = _recover_one(root, path, checkpoint, leftover, refused)
                yield replace(done, seconds=time.perf_counter() - began)
        if refused:
            raise refused[0]


def resume(root: Path) -> Checkpoint:
    """Where recording goes on: the checkpoint, and behind it whatever segments could not be rendered yet.

    Raises:
        NotARecordingError: ``root`` is no recording, or holds a segment of a newer version.
    """
    with rendering(root):
        checkpoint = folder.load(root)
        _refuse_newer(folder.segments(root))
        for path in folder.segments(root):
            if not _is_new(path, checkpoint):
                continue
            with contextlib.suppress(NotASegmentError):
                _fold(checkpoint, _followed(path.read_bytes(), checkpoint.state))
            checkpoint.next_segment = max(checkpoint.next_segment, folder.number(path) + 1)
        return checkpoint


def _followed(content: bytes, before: State) -> Rendered:
    """With the last ticks, if it can be decoded; if it cannot, that keeps nothing from being recorded."""
    try:
        return render(content, before)
    except NotASegmentError:
        raise
    except Exception:  # noqa: BLE001 - whatever the renderer stumbles over; it has said so
        return follow(content, before)


def _refuse_newer(waiting: list[Path]) -> None:
    for path in waiting:
        with path.open("rb") as file:
            version = segment_format.version(file.read(len(segment_format.SEGMENT_MAGIC)))
        if version is not None and version > FORMAT:
            said = f"{path}: a segment of version {version}; this version reads up to {FORMAT}: update"
            raise NotARecordingError(said)


def _is_new(path: Path, checkpoint: Checkpoint) -> bool:
    """Whether a segment is not in the tables yet; one behind the checkpoint is, under whatever names its rows have."""
    return folder.number(path) >= checkpoint.next_segment


def _recover_one(
    root: Path, path: Path, checkpoint: Checkpoint, leftover: Leftover, refused: list[NotArchivedError]
) -> Recovered:
    """Publish a segment and let it go; where the archive has refused one, this one stays too."""
    content, before = path.read_bytes(), Mark(checkpoint.last_ts, checkpoint.next_seq - 1)
    known: Live = [(checkpoint.next_seq, live(checkpoint.state))]
    is_new = _is_new(path, checkpoint)
    try:
        rendered = render(content, checkpoint.state, lambda: _began_with(_follower(root, path)))
    except NotASegmentError:
        return _no_segment(root, path, content, checkpoint)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise NotRenderedError(path, error) from error
    if is_new and 0 <= rendered.first_seq < checkpoint.next_seq:
        return _no_segment(
            root, path, content, checkpoint, "-copy"
        )  # its numbers are given: a copy, or stale blocks
    follower = _follower(root, path) if rendered.damage else None
    found = holes(
        rendered.tables, before, Mark(rendered.last_ts, max(rendered.next_seq, checkpoint.next_seq))
    )
    lost = [(hole, streams(hole, known + rendered.live) | _unheard_of(rendered, follower)) for hole in found]
    files = [publish(root, part) for part in _parts(root, rendered, lost, checkpoint)] if is_new else []
    if is_new:
        _fold(checkpoint, rendered)
    _advance(root, checkpoint, folder.number(path))
    is_done = is_new or checkpoint.archive or leftover.is_placed(rendered)
    end = cut(content, rendered, follower) if is_done else None  # of rows that are lost it is a source
    if not refused:
        refused += _let_go(root, path, content, end, keep=checkpoint.archive)
    return Recovered(
        path.name,
        len(content),
        rows=sum(len(rendered.tables[name]) for name in MARKET_TABLES if name in rendered.tables),
        lost=rendered.lost if end is None else 0,
        files=files,
        missing=sum(hole.size for hole in found) if is_new else 0,
        torn=0 if end is None else len(content[end:].rstrip(b"\0")),
    )


def _parts(
    root: Path, rendered: Rendered, lost: list[tuple[Hole, set[tuple[str, str]]]], checkpoint: Checkpoint
) -> Iterator[Partition]:
    parts = partitions(rendered.tables, rendered.first_seq, rendered.next_seq - 1)
    yield from not_placed(root, [*parts, *as_partitions(lost)], checkpoint.next_seq)


def _follower(root: Path, path: Path) -> Record | None:
    """The first record of the next segment."""
    behind = [one for one in folder.segments(root) if folder.number(one) > folder.number(path)]
    with contextlib.suppress(NotASegmentError):
        return first_record(behind[0].read_bytes()) if behind else None
    return None


def _unheard_of(rendered: Rendered, follower: Record | None) -> set[tuple[str, str]]:
    """What is live where the next segment begins and was never seen to be subscribed: that is among what is lost."""
    state = _began_with(follower)
    return set() if state is None else live(state) - live(rendered.state)


def _began_with(follower: Record | None) -> State | None:
    return None if follower is None or follower.kind != "S" else State.restore(follower.json())


def _let_go(root: Path, path: Path, content: bytes, end: int | None, *, keep: bool) -> list[NotArchivedError]:
    """A segment that is rendered; ``end``: where its whole records end, None: it is to be kept as it is.

    Returns why it has to stay, if it has to.
    """
    if end is None:
        aside.keep(root, path)
        return []
    aside.keep_torn(root, folder.number(path), content[end:])
    try:
        is_archived = not keep or archive(root, folder.number(path), content[:end])
    except NotArchivedError as error:
        return [error]
    if is_archived:
        path.unlink()
        sync_folder(path.parent)
    else:
        aside.keep(root, path, "-copy")  # the archive has another of its number: a part of it, put back
    return []


def _no_segment(root: Path, path: Path, content: bytes, checkpoint: Checkpoint, why: str = "") -> Recovered:
    """A file that holds nothing to render."""
    _advance(root, checkpoint, folder.number(path))
    if is_barely_begun(content):
        torn = len(content.rstrip(b"\0"))
        _let_go(root, path, content, 0, keep=False)
        return Recovered(path.name, len(content), torn=torn)
    aside.keep(root, path, why)
    return Recovered(path.name, len(content), lost=len(content))


def _advance(root: Path, checkpoint: Checkpoint, number: int) -> None:
    checkpoint.next_segment = max(checkpoint.next_segment, number + 1)
    folder.save(root, checkpoint)


def _fold(checkpoint: Checkpoint, rendered: Rendered) -> None:
    checkpoint.next_seq = max(checkpoint.next_seq, rendered.next_seq)
    checkpoint.last_ts = max(0 if rendered.stepped else checkpoint.last_ts, rendered.last_ts)
    checkpoint.state = rendered.state
    for key, mark in rendered.lasts.items():
        note(checkpoint.lasts, key, mark)
    checkpoint.lasts = kept(checkpoint.lasts, live(rendered.state))
