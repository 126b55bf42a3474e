"""``ROOT/running.yaml``: the config that the recorder of this root runs with, for whoever compares another.

Rules:
- Written from the object, not copied from the file: it says what is in force, also after a reload that left some
  settings for a restart, and however the file is edited meanwhile.
- A config file like any other, which `load` reads. Its ``storage.root`` is the folder it lies in: a recording can
  be moved.
- Appears by rename, and for its owner alone: a config may be private.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recorder.config import Config, ConfigError, Line, Problem, Stream, load
from recorder.config.model import OPTIONS
from recorder.journal.durable import sync_folder

NAME = "running.yaml"

_HEAD = (
    "# What ib-recorder runs with in this folder; written by it at start and at each reload.\n# Read from "
)


def remember(root: Path, config: Config, source: Path) -> None:
    """Keep ``config`` in ``root``, a recording's; ``source`` is the file it was read from.

    Raises:
        OSError: it cannot be written; what was there before is still there.
    """
    staged = root / f"{NAME}.new"
    staged.unlink(missing_ok=True)
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{_HEAD}{json.dumps(str(source.absolute()))}\n{text(config)}")
        file.flush()
        os.fsync(file.fileno())
    staged.rename(root / NAME)
    sync_folder(root)


def running(root: Path) -> Config:
    """The config that the recorder of ``root`` runs with, or ran with last.

    Raises:
        ConfigError: no recorder has left one there, or it does not read.
    """
    path = root / NAME
    if not path.exists():
        message = "missing: only ib-recorder run leaves it in a recording; name a config file"
        raise ConfigError((Problem(path, 1, 1, "", message),))
    return load(path)


def text(config: Config) -> str:
    """A config file that loads as ``config`` does, with ``storage.root`` the file's own folder."""
    return "".join(_lines(config))


def _lines(config: Config) -> Iterator[str]:
    """One key or line of the watchlist a line, each value as JSON, which is YAML."""
    sections = config.model_dump(mode="json", exclude={"streams", "watchlist"})
    sections["storage"]["root"] = "."
    for key, values in (*sections.items(), ("streams", _streams(config.streams))):
        yield f"{key}: {_json(values)}\n"
    yield "watchlist:\n"
    for line in config.watchlist:
        yield f"  - {_json(_line(line))}\n"


def _line(line: Line) -> dict[str, Any]:
    contract = line.model_dump(exclude={"streams"}, exclude_none=True)
    return {**contract, "streams": _streams(line.streams)}


def _streams(streams: tuple[Stream, ...]) -> list[dict[str, Any]]:
    return [{one.kind: one.model_dump(include=set(OPTIONS[one.kind]))} for one in streams]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
