"""Makes files and names durable."""

import os
from pathlib import Path


def sync(descriptor: int, path: Path) -> None:
    """Make durable what a descriptor stands for; an error names ``path``."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(descriptor, folder)
    finally:
        os.close(descriptor)


def move(path: Path, folder: Path, name: str | None = None) -> Path:
    """Move a file into a folder that may not be there yet, durably; one of that name there already is not replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    # Before the file is in it; and also where it was there already: whoever made it may not have come this far.
    for one in _around(folder, path):
        sync_folder(one)
    target = _free(folder / (name or path.name))
    path.rename(target)
    for one in (folder, path.parent):
        sync_folder(one)
    return target


def _around(folder: Path, path: Path) -> list[Path]:
    """The folders that a folder lies in, up to the one that a file lies in too."""
    shared = os.path.commonpath((folder, path))
    return [one for one in folder.parents if one.is_relative_to(shared)]


def _free(target: Path) -> Path:
    if not target.exists():
        return target
    taken = (target.with_name(f"{target.stem}.{count}{target.suffix}") for count in range(1, 1_000_000))
    return next(path for path in taken if not path.exists())
