"""``recording.json``: what a recording says of itself, in two files that each tell whether they are whole.

Rules:
- Each states the checksum of what else it says; a file of before checksums has none, and is believed.
- The copy, in ``journal``, is written behind the first, and read where that is lost, spoilt, or an older one that
  somebody put back.
- Both are replaced as a whole, durably, before anything relies on what they say.
"""

import json
import os
import zlib
from pathlib import Path
from typing import Any

from recorder.journal.durable import sync_folder

Stated = dict[str, Any]

FIRST, COPY = Path("recording.json"), Path("journal") / "recording.json"
_BACKUP = "put a backup of the whole root back; recorder.open reads what is there"


class NothingStatedError(ValueError):
    """Neither file can be read; says why."""


def read(root: Path) -> Stated:
    """What the recording at ``root`` says of itself.

    Raises:
        NothingStatedError: neither file can be read.
    """
    found, problem = [], None
    for path in (FIRST, COPY):
        try:
            found.append(_read(root / path))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (ValueError, OSError) as error:
            problem = (
                problem or f"{root / path}: cannot be read ({error}), and there is no whole copy; {_BACKUP}"
            )
    if not found:
        raise NothingStatedError(problem or none_at(root))
    return max(found, key=_age)


def none_at(root: Path) -> str:
    """That there is no recording: what is there instead, what a recording has, and which folder to name."""
    found = "a file" if root.exists() else "no such folder"
    if root.is_dir():
        found = f"holds {', '.join(sorted(path.name for path in root.iterdir())[:5]) or 'nothing'}"
    if any(root.glob("*/date=*")):
        gone = f"holds tables, and neither {FIRST} nor its copy {COPY}, without which nothing can be added"
        return f"{root}: {gone}; {_BACKUP}"
    has = f"a recording has {FIRST}, journal/ and a folder a table"
    return f"{root}: not a recording: {found}; {has}; name the folder that storage.root names"


def spoilt(root: Path) -> list[Path]:
    """Those of the two files that are lost, cannot be read or are out of date, relative to the root.

    The copy may be a step behind: a process can be killed between the two.
    """
    ill = [path for path in (FIRST, COPY) if not _is_whole(root, path)]
    if not ill and (root / COPY).exists() and _age(_read(root / FIRST)) < _age(_read(root / COPY)):
        return [FIRST]
    return ill


def write(root: Path, stated: Stated) -> None:
    """Replace both files.

    Raises:
        OSError: the disk refused; at least one of the two can be read.
    """
    as_read = json.loads(json.dumps(stated))
    content = json.dumps({**as_read, "checksum": _checksum(as_read)}, indent=1)
    for path in (FIRST, COPY):
        _replace(root / path, content)


def _read(path: Path) -> Stated:
    stated = json.loads(path.read_bytes())
    if not isinstance(stated, dict):
        raise ValueError("holds no object")  # noqa: TRY004 - it is the file that is wrong, not the caller
    checksum = stated.pop("checksum", None)
    if checksum not in (None, _checksum(stated)):
        raise ValueError("is not what was written: the checksum is another")
    return stated


def _age(stated: Stated) -> tuple[int, ...]:
    return tuple(int(stated.get(name, 0)) for name in ("format", "next_segment", "next_seq", "kept_seq"))


def _is_whole(root: Path, path: Path) -> bool:
    try:
        _read(root / path)
    except FileNotFoundError:
        return path == COPY and _is_older(root)
    except (ValueError, OSError):
        return False
    return True


def _is_older(root: Path) -> bool:
    """Whether the first file is of before there were copies, and checksums."""
    try:
        return "checksum" not in json.loads((root / FIRST).read_bytes())
    except (ValueError, OSError):
        return False


def _checksum(stated: Stated) -> int:
    return zlib.crc32(json.dumps(stated, sort_keys=True).encode())


def _replace(path: Path, content: str) -> None:
    staged = path.with_name(f"{path.name}.new")
    try:
        with staged.open("w") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staged.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(staged)) from None
