"""Several folders put in place of others as one act: a word that is durable first, then folder after folder.

Rules:
- Before the word nothing has happened; behind it, whoever comes next finishes (``roll_forward``).
- What the word speaks of is durable before it. Where it is not there all the same, no folder is exchanged any more.
- What came to a folder meanwhile comes along, and so does what is none of ours.
"""

import json
import os
import shutil
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from recorder import partition
from recorder.journal.durable import move, sync_folder
from recorder.journal.folder import SWAPPING
from recorder.journal.lock import rendering
from recorder.render.aside import is_damaged
from recorder.render.publish import make_durable
from recorder.store.swap import CannotExchangeError, exchange


@dataclass(frozen=True, slots=True)
class Swap:
    """A folder, ``<table>/date=...``, and the names of our files in it before and after."""

    folder: str
    before: list[str]
    after: list[str]


def area(root: Path) -> Path:
    """Where the folders that are to be are staged."""
    return root / "staging" / "from-archive"


def begin(root: Path) -> Path:
    """The staging area, empty."""
    roll_forward(root)
    sweep(root)
    (area(root) / "staging").mkdir(parents=True)
    return area(root)


def sweep(root: Path) -> bool:
    """Take away what is staged without a word: it is left by one that was killed; returns whether there was anything.

    To be called by who holds the root, behind ``roll_forward``: another may be staging else.
    """
    left = [path for path in (area(root), (root / SWAPPING).with_suffix(".new")) if path.exists()]
    shutil.rmtree(area(root), ignore_errors=True)
    (root / SWAPPING).with_suffix(".new").unlink(missing_ok=True)
    return bool(left)


def swap_all(root: Path, swaps: list[Swap]) -> None:
    """Put the staged folders in place of the others.

    Raises:
        CannotExchangeError: this filesystem cannot; nothing was changed.
        OSError: the disk refused; ``roll_forward`` goes on.
    """
    for swap in swaps:
        make_durable(area(root) / swap.folder)
    sync_folder(area(root).parent)
    word = root / SWAPPING
    staged = word.with_suffix(".new")
    with staged.open("w") as file:
        json.dump(_word(swaps), file)
        file.flush()
        os.fsync(file.fileno())
    staged.rename(word)
    sync_folder(word.parent)
    try:
        roll_forward(root)
    except CannotExchangeError:
        word.unlink()
        sync_folder(word.parent)
        raise


def roll_forward(root: Path) -> Literal["finished", "set aside"] | None:
    """Finish what was begun; None: there was nothing to finish.

    Where the word does not read, or what it speaks of is no longer whole, it is kept in ``set-aside`` with all that is
    staged, and no folder is exchanged: what is staged may be what stood in a folder before.

    Raises:
        CannotExchangeError, OSError: it cannot be finished; the word stays.
    """
    word = root / SWAPPING
    if not word.exists():
        return None
    with rendering(root):
        if not word.exists():  # whoever came first has done it
            return None
        swaps = _said(word)
        if swaps is None or not all(_is_done(root, swap) or _is_staged(root, swap) for swap in swaps):
            _set_aside(root)
            return "set aside"
        for swap in swaps:
            _swap(root, swap)
        word.unlink()
        sync_folder(word.parent)
    shutil.rmtree(area(root), ignore_errors=True)
    return "finished"


def _word(swaps: list[Swap]) -> dict[str, Any]:
    """With its checksum: a name that is spoilt would leave a file of before beside those of after."""
    said = [asdict(swap) for swap in swaps]
    return {"swaps": said, "checksum": zlib.crc32(json.dumps(said).encode())}


def _said(word: Path) -> list[Swap] | None:
    """What a word says; None: it is spoilt."""
    try:
        said = json.loads(word.read_bytes())
        swaps = [Swap(**swap) for swap in said["swaps"]]
    except (ValueError, TypeError, KeyError):
        return None
    return swaps if said == _word(swaps) else None


def _is_done(root: Path, swap: Swap) -> bool:
    there = _names(root / swap.folder)
    return there >= set(swap.after) and there.isdisjoint(set(swap.before) - set(swap.after))


def _is_staged(root: Path, swap: Swap) -> bool:
    """Whether all that is to be in the folder is there, and whole."""
    return all(_is_whole(area(root) / swap.folder / name) for name in swap.after)


def _is_whole(path: Path) -> bool:
    file = partition.parse(path)
    return file is not None and path.exists() and not is_damaged(file)


def _set_aside(root: Path) -> None:
    """The word goes last: without it, what is staged is nobody's."""
    if area(root).exists():
        move(area(root), root / "set-aside")
    move(root / SWAPPING, root / "set-aside")


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def _swap(root: Path, swap: Swap) -> None:
    live, staged = root / swap.folder, area(root) / swap.folder
    if not _is_done(root, swap):
        staged.mkdir(parents=True, exist_ok=True)
        live.mkdir(parents=True, exist_ok=True)
        for name in _names(live) - set(swap.before):
            if not (live / name).is_dir() and not os.path.lexists(staged / name):
                os.link(live / name, staged / name, follow_symlinks=False)
        sync_folder(staged)
        exchange(staged, live)
    _bring_rest(staged, live, set(swap.before))
    if live.is_dir() and not any(live.iterdir()):
        live.rmdir()
    for one in (live, live.parent, staged.parent, root):
        if one.is_dir():
            sync_folder(one)


def _bring_rest(old: Path, live: Path, ours: set[str]) -> None:
    """What could not come before the exchange: folders, which have one name only, and what came that very moment."""
    for path in old.iterdir() if old.is_dir() else ():
        if path.name not in ours and not os.path.lexists(live / path.name):
            path.rename(live / path.name)
