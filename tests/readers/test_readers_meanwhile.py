"""Readers in a loop while files come and go: rows only ever grow, no number twice, nothing that does not read."""

import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from readers.page import normal, run
from readers.recording import evening, made

HERE = Path(__file__).parent
AGAIN = (
    "FileNotFoundError", "No such file", "No files found", "FILE_NOT_EXIST", "does not exist", "NoSuchFileException",
)  # fmt: skip
"""How readers say that a file they had listed is gone."""

LISTING = frozenset({"pandas", "pyarrow", "Dask"})
"""Readers that list a folder and then look at each name, and leave out without a word what is gone by then."""

SECONDS, GROWTHS = 1.5, 4
"""How long it is read at least, and how often there must be more than before."""


@dataclass(frozen=True)
class Disturber:
    """A process that changes a recording while it is read.

    Attributes:
        name: what it does.
        script: run with the recording's root until its standard input ends.
        takes_away: whether files may vanish, so that a reader may have to read again.
    """

    name: str
    script: Path
    takes_away: bool = False


DISTURBERS = [
    Disturber("publishing", HERE / "publish.py"),
    Disturber("compacting", HERE / "compact.py", takes_away=True),
]


@pytest.fixture(params=DISTURBERS, ids=lambda disturber: disturber.name)
def disturbed(request, tmp_path):
    """Root of a recording, what disturbs it, and its process."""
    root, pipe = tmp_path / "data", subprocess.PIPE
    made(root, evening(2))
    with subprocess.Popen(
        [sys.executable, request.param.script, root], stdin=pipe, stderr=pipe, text=True
    ) as process:
        yield root, request.param, process


def numbers(reader, root, *, again):
    """The numbers of ``level1`` as the reader finds them, in order; read again if it may have to be."""
    while True:
        try:
            return sorted(normal(run(reader, root, "level1")["rows"])["seq"].to_pylist())
        except Exception as error:
            if not again or not any(word in f"{type(error).__name__}: {error}" for word in AGAIN):
                raise


def test_a_reader_sees_every_row_once_and_more_and_more_of_them(reader, disturbed):
    root, disturber, process = disturbed
    readings, until = [], time.monotonic() + SECONDS
    while time.monotonic() < until or len(set(map(len, readings))) < GROWTHS:
        readings.append(numbers(reader, root, again=disturber.takes_away))
        assert process.poll() is None
    said = process.communicate()[1]
    assert (process.returncode, said) == (0, "")
    readings.append(numbers(reader, root, again=False))
    assert [found for found in readings if len(set(found)) < len(found)] == []
    if not (disturber.takes_away and reader in LISTING):
        assert [now for now, then in pairwise(readings) if not set(now) <= set(then)] == []
