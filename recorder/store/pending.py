"""Several folders put in place of others as one act: a word that is durable first, then folder after folder.

Rules:
- Before the word nothing has happened; behind it, whoever comes next finishes (``roll_forward``).
- What came to a folder meanwhile comes along, and so does what is none of ours.
"""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from recorder.journal.durable import sync_folder
from recorder.journal.folder import SWAPPING
from recorder.journal.lock import rendering
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
    """The staging area, empty: what is there without a word is left by one that was killed."""
    roll_forward(root)
    shutil.rmtree(area(root), ignore_errors=True)
    (area(root) / "staging").mkdir(parents=True)
    return area(root)


def swap_all(root: Path, swaps: list[Swap]) -> None:
    """Put the staged folders in place of the others.

    Raises:
        CannotExchangeError: this filesystem cannot; nothing was changed.
        OSError: the disk refused; ``roll_forward`` goes on.
    """
    word = root / SWAPPING
    staged = word.with_suffix(".new")
    with staged.open("w") as file:
        json.dump([asdict(swap) for swap in swaps], file)
        file.flush()
        os.fsync(file.fileno())
    staged.rename(word)
    sync_folder(word.parent)
    try:
        roll_forward(root)
    except CannotExchangeError:
        word.unlink()
        raise


def roll_forward(root: Path) -> bool:
    """Finish what was begun; returns whether there was anything to finish.

    Raises:
        CannotExchangeError, OSError: it cannot be finished; the word stays.
    """
    word = root / SWAPPING
    if not word.exists():
        return False
    with rendering(root):
        if not word.exists():  # whoever came first has done it
            return False
        for swap in json.loads(word.read_bytes()):
            _swap(root, Swap(**swap))
        word.unlink()
        sync_folder(word.parent)
    shutil.rmtree(area(root), ignore_errors=True)
    return True


def _swap(root: Path, swap: Swap) -> None:
    live, staged = root / swap.folder, area(root) / swap.folder
    there = {path.name for path in live.iterdir()} if live.is_dir() else set()
    if not (there >= set(swap.after) and there.isdisjoint(set(swap.before) - set(swap.after))):
        staged.mkdir(parents=True, exist_ok=True)
        live.mkdir(parents=True, exist_ok=True)
        for name in there - set(swap.before):
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
