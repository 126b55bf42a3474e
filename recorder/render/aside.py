"""What is kept although it does not read, and what goes because nobody needs it any more.

Rule: bytes that could not be read today may be read by someone tomorrow. They are moved, never deleted.
"""

import errno
import os
import re
from dataclasses import replace
from pathlib import Path

from recorder import schema
from recorder.journal.durable import move
from recorder.partition import COMPACTED, File

_STAGED = re.compile(
    rf"(?:{'|'.join(schema.TABLES)})-\d{{19}}-\d{{19}}(?:-(?!{COMPACTED}\b)[a-z]+)?\.parquet"
)


BAD_BYTES = {None, errno.EIO, errno.EBADMSG, errno.EUCLEAN, errno.EISDIR}
"""What reading damaged bytes ends in; None: Arrow's own, of bytes that do not decompress; the last: a folder bears the
name of a file."""


def is_damaged(file: File) -> bool:
    """Whether the bytes of a table's file are not those that were published, as far as its name says which.

    Raises:
        OSError: no permission, no descriptors: nothing is known of it.
    """
    try:
        return not file.is_intact
    except OSError as error:
        if error.errno not in BAD_BYTES:
            raise
        return True


def keep_file(root: Path, file: File) -> File:
    """Keep a damaged file of a table; returns it where it lies now."""
    place = root / "set-aside" / file.table / file.path.parent.name
    return replace(file, path=move(file.path, place))


def keep(root: Path, path: Path, why: str = "") -> None:
    """Keep a damaged segment; one with a reason in its name is no source of rows."""
    move(path, root / "journal" / "set-aside", f"{path.stem}{why}{path.suffix}")


def keep_torn(root: Path, number: int, content: bytes) -> None:
    """Keep the bytes behind the last whole record of a segment, if any are written."""
    written = content.rstrip(b"\0")
    target = root / "journal" / "set-aside" / f"{number:08d}.torn"
    if written and not target.exists():
        move(stage(root / "staging" / target.name, written), target.parent)


def stage(staged: Path, content: bytes) -> Path:
    """Write a file that is to be moved to its place, durably."""
    with staged.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return staged


def sweep(root: Path) -> None:
    """Take away what a killed renderer left staged: whatever it was, its segment is rendered again."""
    for path in (root / "staging").iterdir():
        if _STAGED.fullmatch(path.name):
            path.unlink()
