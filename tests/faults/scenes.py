"""Recordings to try programs on: small, and of everything something."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from store.recordings import decoded_wrong
from tape import NOON, Tape

from recorder.journal import folder
from recorder.render.archive import archived
from recorder.render.recover import recover
from recorder.store import Limits, compact
from recorder.store.again import again
from recorder.wire.layouts import frame

LINES = {
    "MSFT": (3, "level1"), "AAPL": (4, "level1"), "ES": (5, "depth"), "INTC": (6, "trades"), "EUR": (8, "bars"),
}  # fmt: skip
LONG_AGO = 30 * 86_400_000_000
_GAP = {"symbol": "AAPL", "stream": "level1", "reason": "farm", "code": None, "seq_start": 1, "seq_end": 2}


def tick(req: int, price: object) -> bytes:
    """A level-1 price."""
    return frame("1", "6", str(req), "1", str(price), "5", "1")


def small() -> Tape:
    """One segment with rows in three tables."""
    tape = Tape()
    _begin(tape)
    tape.read(tick(3, 1) + tick(4, 2))
    tape.seal()
    return tape


def full() -> Tape:
    """Two sealed segments and one being written, with frames across their ends; rows in every table."""
    tape = Tape()
    _begin(tape)
    tape.control("qualified", symbol="AAPL", instrument={"symbol": "AAPL", "con_id": 1004, "sec_type": "STK"})
    tape.read(b"".join(tick(3 + number % 2, number) for number in range(20)))
    tape.read(frame("21", "3", "13", "0", "0.2", "0.5", "3", "0", "0.01", "0.1", "-0.1", "600"))
    tape.read(frame("12", "1", "5", "0", "0", "1", "6612.25", "3"))
    tape.read(frame("99", "6", "1", "1795000000", "36.5", "100", "0", "ARCA", ""))
    tape.read(frame("99", "6", "3", "1795000000", "36.5", "36.75", "1", "2", "0"))
    tape.read(frame("99", "6", "4", "1795000000", "36.5"))
    tape.read(frame("50", "3", "8", "1795000000", "1", "2", "0.5", "1.5", "-1", "-1", "-1"))
    tape.read(frame("200", "3", "what"))
    for number in (21, 22):
        across = tick(3, number)
        tape.read(across[:9])
        tape.roll()
        tape.read(across[9:] + tick(4, number))
    return tape


def scattered() -> Tape:
    """A day that is long over, in three segments; rows of two tables in each."""
    tape = Tape(ts=NOON - LONG_AGO)
    _begin(tape)
    for number in range(1, 4):
        tape.read(tick(3, number) + tick(4, number))
        tape.control("notice", symbol="AAPL", text="in between")
        tape.roll()
    return tape


def published(root: Path, tape: Tape) -> Path:
    """The tape as files, one a segment and table."""
    list(recover(written(root, tape)))
    return root


def misread(root: Path) -> Path:
    """A day that was decoded wrong: a file of two segments and some behind it; the archive holds the first alone."""
    folder.adopt(written(root, scattered()), archive=True)
    later = {path: path.read_bytes() for path in folder.segments(root)[2:]}
    for path in later:
        path.unlink()
    list(recover(root))
    list(once(root))
    for path, content in later.items():
        path.write_bytes(content)
    list(recover(root))
    decoded_wrong(root, "level1", price=99.0)
    decoded_wrong(root, "events", code=99)
    for one in archived(root)[1:]:
        one.path.unlink()
    return root


def written(root: Path, tape: Tape) -> Path:
    """The tape as the journal of a recording."""
    folder.create(root)
    for index, content in enumerate(tape.contents(), 1):
        folder.segment_path(root, index).write_bytes(content)
    return root


def _begin(tape: Tape) -> None:
    tape.control("session_start", text="x")
    tape.open(**LINES)
    tape.control("gap_end", **_GAP, ts_start=tape.ts, ts_end=tape.ts + 5)


@dataclass(frozen=True, slots=True)
class Undertaking:
    """A program that changes a recording, and a recording for it to change.

    Attributes:
        name: what it is called in a test.
        prepare: makes the recording.
        program: the program as behind ``python -m``; the root comes last.
        again: the same in this process, as it is done next time.
        alters: whether rows are others afterwards: cut off early, it leaves those of before.
    """

    name: str
    prepare: Callable[[Path], object]
    program: tuple[str, ...]
    again: Callable[[Path], Iterable[object]]
    alters: bool = False

    def arguments(self, root: Path) -> tuple[str, ...]:
        """The program's command line, without the interpreter."""
        return (*self.program, str(root))


def once(root: Path) -> Iterable[object]:
    """A compaction that waits for no reader."""
    return compact(root, limits=Limits(linger=0))


PUBLISH = Undertaking("publish", lambda root: written(root, full()), ("recorder.render",), recover)
PUBLISH_SMALL = Undertaking(
    "publish a little", lambda root: written(root, small()), ("recorder.render",), recover
)
RECOVER = Undertaking("recover", lambda root: written(root, full()), ("recorder", "recover"), recover)
COMPACT = Undertaking(
    "compact", lambda root: published(root, scattered()), ("recorder.store", "--linger", "0"), once
)
FROM_ARCHIVE = Undertaking(
    "render again",
    misread,
    ("recorder", "recover", "--from-archive"),
    lambda root: [again(root)],
    alters=True,
)
UNDERTAKINGS = (PUBLISH, COMPACT, FROM_ARCHIVE)
"""Whatever changes what is published is listed here; it is then killed, refused and cut off all over its run."""

SOAKED = (*UNDERTAKINGS, RECOVER)
"""In the soak, at every call."""
