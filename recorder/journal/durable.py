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
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    target = _free(folder / (name or path.name))
    path.rename(target)
    for one in (folder, *(made.parent for made in missing), path.parent):
        sync_folder(one)
    return target


def _free(target: Path) -> Path:
    if not target.exists():
        return target
    taken = (target.with_name(f"{target.stem}.{count}{target.suffix}") for count in range(1, 1_000_000))
    return next(path for path in taken if not path.exists())
