"""Standard error that nobody reads, or that is closed: recording goes on, and its end too.

``python tests/ops/test_ops_stderr.py ENDING`` says a thousand lines and ends; with ``dropped`` ten wait at most.
"""

import asyncio
import json
import os
import select
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from daemon import table, until, write_config
from numbered import numbered

from recorder.daemon import logs, stderr

PYTHON = [sys.executable, __file__]
IMPORTS = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
AAPL = "{type: stock, symbol: AAPL}"


@contextmanager
def full_pipe():
    """A pipe that takes nothing before somebody reads: both ends, and how many bytes are in it."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    filled = 0
    try:
        while True:
            filled += os.write(write, bytes(4096))
    except BlockingIOError:
        os.set_blocking(write, True)
    try:
        yield read, write, filled
    finally:
        os.close(read)
        os.close(write)


def read_until(pipe, word, seconds=20.0):
    said, end = b"", time.monotonic() + seconds
    while word not in said and select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
        said += os.read(pipe, 65536)
    return said


def test_what_nobody_reads_holds_up_neither_the_recording_nor_its_end(tmp_path):
    async def story(write):
        async with numbered(0.01) as (gateway, market):
            command = [
                sys.executable,
                "-m",
                "recorder",
                "run",
                str(write_config(tmp_path, gateway.port, AAPL)),
            ]
            process = await asyncio.create_subprocess_exec(*command, stderr=write)
            await until(lambda: market.next > 1000)
            process.terminate()
            began = time.monotonic()
            return await asyncio.wait_for(process.wait(), 30), time.monotonic() - began, market.next

    with full_pipe() as (_, write, _):
        code, seconds, sent = asyncio.run(story(write))
    assert 0 == code
    assert seconds < 15
    written = table(tmp_path / "data", "level1")["size"].tolist()
    assert written == list(range(1, len(written) + 1))
    assert 900 < len(written) < sent


def test_what_does_not_fit_is_counted_and_said_when_somebody_reads_again():
    with full_pipe() as (read, write, filled):
        with subprocess.Popen(
            [*PYTHON, "dropped"], env=IMPORTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=write
        ) as process:
            assert b"said\n" == process.stdout.readline()
            said = read_until(read, b"dropped")
            process.communicate(b"go on\n")
        said += read_until(read, b"the last")
    *first, dropped, last = [json.loads(line) for line in said[filled:].splitlines()]
    assert list(range(10)) == [line["number"] for line in first]
    assert ("log lines were dropped: standard error did not take them", 990) == (
        dropped["event"],
        dropped["lines"],
    )
    assert "the last" == last["event"]
    assert 0 == process.returncode


@pytest.mark.parametrize(
    ("ending", "code", "words"), [("raise", 1, "ZeroDivisionError"), ("exit", 3, "farewell")]
)
def test_however_a_process_ends_all_it_said_is_there_in_order(ending, code, words):
    ended = subprocess.run([*PYTHON, ending], env=IMPORTS, capture_output=True, text=True, check=False)
    lines = ended.stderr.splitlines()
    assert list(range(1000)) == [json.loads(line)["number"] for line in lines[:1000]]
    assert code == ended.returncode
    assert words in lines[-1]


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_no_reason_not_to_record(tmp_path, closed):
    async def story():
        async with numbered(0.01) as (gateway, market):
            config = write_config(tmp_path, gateway.port, AAPL)
            process = await asyncio.create_subprocess_shell(
                f"exec {sys.executable} -m recorder run {config} {closed}", stderr=subprocess.PIPE
            )
            await until(lambda: market.next > 100 or process.returncode is not None)
            process.terminate()
            _, errors = await asyncio.wait_for(process.communicate(), 30)
            return process.returncode, errors.decode()

    code, said = asyncio.run(story())
    assert 0 == code, said
    assert len(table(tmp_path / "data", "level1")) > 50


def say():
    logs.configure()
    for number in range(1000):
        stderr.log.info("said", number=number)


if __name__ == "__main__":
    if sys.argv[1] == "dropped":
        stderr.MOST_LINES = 10
    stderr.hand_over()
    say()
    if sys.argv[1] == "raise":
        raise ZeroDivisionError
    if sys.argv[1] == "exit":
        sys.stderr.write("farewell\n")
        sys.exit(3)
    print("said", flush=True)
    sys.stdin.readline()
    stderr.log.info("the last")
