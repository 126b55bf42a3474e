"""Readers in other processes and kills at any moment: whoever looks sees every row once."""

import signal
import subprocess
import sys
import time
from itertools import pairwise

import pytest
from store.recordings import files, put, put_many, recording, rows, tick
from tape import names

from recorder import partition
from recorder.journal.lock import rendering
from recorder.store import Compacted, Limits, compact
from recorder.store.swap import CannotExchangeError, exchange


@pytest.fixture
def root(tmp_path):
    return recording(tmp_path / "data", 10**9)


def test_two_folders_are_exchanged(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (one, other):
        path.mkdir()
        (path / path.name).touch()
    exchange(one, other)
    assert [["other"], ["one"]] == [names(path) for path in (one, other)]


def test_an_exchange_that_the_kernel_refuses_is_told_from_one_that_fails(tmp_path):
    (tmp_path / "one" / "within").mkdir(parents=True)
    with pytest.raises(CannotExchangeError):
        exchange(tmp_path / "one", tmp_path / "one" / "within")
    with pytest.raises(FileNotFoundError, match="none"):
        exchange(tmp_path / "one", tmp_path / "none")


# Where the first word of the arguments is a root, each of these looks time and again whether every number stands in it
# once, and says so; it ends when told to on standard input.
LOOKS = """
import select, sys, time
from pathlib import Path
root, first = Path(sys.argv[1]), int(sys.argv[2])
looks = torn = 0
def files():
    return [str(path) for path in (root / "level1").glob("*/*.parquet")]
def numbers():
{look}
while not select.select([sys.stdin], [], [], 0)[0]:
    try:
        found = sorted(numbers())
    except {vanished}:
        torn += 1
        continue
    assert found == list(range(1, len(found) + 1)) and len(found) >= first, (len(found), len(set(found)))
    looks += 1
    if looks == 1:
        print("looking", flush=True)
print(looks, torn)
"""
# pandas and pyarrow are given the files: where they list a folder themselves, pyarrow leaves out what is gone by the
# time it looks at it (its FileSelector does), so that nobody would know.
READERS = {
    "recorder": (
        '    import recorder; return recorder.open(root).level1(engine="arrow")["seq"].to_pylist()',
        "()",
    ),
    "pandas": ('    import pandas; return pandas.read_parquet(files())["seq"].tolist()', "FileNotFoundError"),
    "pyarrow": (
        '    import pyarrow.dataset as ds; return ds.dataset(files()).to_table()["seq"].to_pylist()',
        "FileNotFoundError",
    ),
    "duckdb": (
        """
    import duckdb
    return [seq for seq, in duckdb.sql(f"select seq from '{root}/level1/*/*.parquet'").fetchall()]
""",
        "duckdb.IOException",
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_readers_see_every_row_once_while_days_are_compacted(root, reader):
    look, vanished = READERS[reader]
    first = 2000
    for start in range(1, first, 100):
        put(root, "level1", [tick(seq, "AB"[seq % 2]) for seq in range(start, start + 100)])
    code = LOOKS.format(look=look, vanished=vanished)
    code = "import duckdb\n" + code if reader == "duckdb" else code
    words = [sys.executable, "-c", code, str(root), str(first)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert "looking\n" == process.stdout.readline()
    seq, swaps, began = first + 1, 0, time.monotonic()
    while time.monotonic() - began < 1.2 or swaps < 4:
        with rendering(root):  # as the renderer does
            put(root, "level1", [tick(seq)])
        seq += 1
        swaps += sum(isinstance(one, Compacted) for one in compact(root, limits=Limits(linger=0.1)))
    said, _ = process.communicate("enough\n", timeout=30)
    assert 0 == process.returncode
    assert int(said.split()[0]) > 2


def test_killed_at_any_moment_it_has_done_all_of_a_day_or_nothing(root):
    for start in range(1, 200_000, 20_000):
        put_many(root, start, 20_000)
    began = time.monotonic()
    assert 0 == compacting(root).wait()
    lasts = time.monotonic() - began
    number, outcomes = 200_000, set()
    for tenths in range(4, 14):
        number += 1
        put(root, "level1", [tick(number)])
        before = len(files(root))
        process = compacting(root)
        time.sleep(lasts * tenths / 10)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(files(root)) in {1, before}
        outcomes.add(len(files(root)) == 1)
        assert number == follows(root)
    assert {True, False} == outcomes
    put(root, "level1", [tick(number + 1)])
    assert [number + 1] == [one.rows for one in compact(root, limits=Limits(linger=0))]
    assert list(range(1, number + 2)) == sorted(row["seq"] for row in rows(root))
    assert [] == list((root / "staging").iterdir())


def compacting(root):
    return subprocess.Popen(
        [sys.executable, "-m", "recorder.store", str(root), "--linger", "0"], stdout=subprocess.DEVNULL
    )


def follows(root):
    """The last number of files that follow each other."""
    found = partition.listed(root, "level1")
    assert all(one.last_seq + 1 == other.first_seq for one, other in pairwise(found))
    return found[-1].last_seq


WITHOUT_EXCHANGE = """
import ctypes, platform, struct, sys
from pathlib import Path
number = {"x86_64": 316, "aarch64": 276}[platform.machine()]
code = struct.pack("HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, number, 0x06, 0, 0, 0x00050000 | 22, 0x06, 0, 0, 0x7FFF0000)
buffer = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", 4, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
from recorder.store import compact
print([(one.kind, one.reason) for one in compact(Path(sys.argv[1]))])
"""
"""From here on the kernel answers a call of ``renameat2`` with EINVAL, as it does on such a filesystem."""


def test_the_filesystem_that_cannot_exchange_keeps_its_files(root):
    for seq in (1, 2):
        put(root, "level1", [tick(seq)])
    process = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXCHANGE, str(root)], capture_output=True, text=True, check=True
    )
    why = "this filesystem cannot exchange two folders in one step: no day can be compacted here"
    assert f"[('cannot', '{why}')]\n" == process.stdout
    assert 2 == len(files(root))
    assert [] == list((root / "staging").iterdir())
