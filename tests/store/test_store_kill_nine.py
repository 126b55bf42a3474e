"""kill -9 at any moment: of what was read nothing is lost and nothing is there twice."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from daemon import run, start, table, until, write_config
from numbered import kill, numbered
from tape import NOON, Tape

import recorder
from recorder import schema
from recorder.journal import folder
from recorder.verify import verify
from recorder.wire.layouts import TICK_SIZE, frame

FEW, MANY = 10, 200
EXACT_SHARE = 0.9
"""A process may be stopped between reading and writing: that read is lost. It is a matter of microseconds."""


def seeded() -> random.Random:
    seed = int(os.environ.get("KILL_SEED") or random.randrange(1_000_000))
    print(f"\nKILL_SEED={seed}")
    return random.Random(seed)


# The recorder. -------------------------------------------------------------------------------------------


async def kills(
    place: Path, times: int, flush: float, pause: float, chance: random.Random
) -> list[tuple[int, int]]:
    """Kills a recorder time and again; the first tick of each run, and the last one that it had read."""
    runs = []
    async with numbered(pause) as (gateway, market):
        config = write_config(place, gateway.port, "{type: stock, symbol: A}", flush=flush)
        for _ in range(times):
            first, met = market.next, len(gateway.conversations)
            process = await start("run", str(config))
            await until(lambda f=first, m=met: len(gateway.conversations) > m and market.next > f)
            await asyncio.sleep(chance.uniform(0, 0.8))
            runs.append((first, await kill(process, gateway, market)))
    code, said, errors = await run("recover", str(place / "data"))
    assert (0, "") == (code, errors), said
    return runs


def judge(root: Path, runs: list[tuple[int, int]]) -> None:
    """Every run's ticks from the first to the last that was read; now and then without the very last read."""
    assert [] == verify(root).flaws
    found = table(root, "level1")["size"].astype(int).tolist()
    assert sorted(set(found)) == found
    exact = 0
    for (first, last), (behind, _) in zip(runs, [*runs[1:], (10**12, 0)], strict=True):
        own = [number for number in found if first <= number < behind]
        assert list(range(first, first + len(own))) == own
        assert own[-1:] <= [last]
        exact += own[-1:] == [last]
    print(f"{exact} of {len(runs)} kills lost nothing at all; {len(found)} ticks")
    assert exact >= EXACT_SHARE * len(runs)


def ingesting(place: Path, times: int) -> None:
    judge(place / "data", asyncio.run(kills(place, times, flush=300, pause=0.01, chance=seeded())))


def rolling(place: Path, times: int) -> None:
    judge(place / "data", asyncio.run(kills(place, times, flush=0.03, pause=0.01, chance=seeded())))


# Those who work on its files. ----------------------------------------------------------------------------


def tick(value: int, req: int) -> bytes:
    return TICK_SIZE.encode(req, {"tick_type": 8, "size": value})


def recording(root: Path) -> list[tuple]:
    """A journal of two days that are over, in many segments; what its rows are."""
    folder.create(root)
    tape = Tape(ts=NOON - 86_400_000_000)
    tape.open(MSFT=(3, "level1"), AAPL=(4, "level1"), SAP=(5, "trades"))
    for number in range(30):
        for value in range(number * 100, number * 100 + 40):
            tape.read(tick(value, 3 + value % 2))
        tape.read(frame("99", "5", "1", "1795000000", "36.5", "100", "0", "ARCA", ""))
        tape.read(frame("200", "3", "what"))
        if number < 29:
            tape.roll()
        if number == 15:
            tape.ts += 43_200_000_000
    tape.control("session_end", text="stopped")
    for index, content in enumerate(tape.contents(), 1):
        folder.segment_path(root, index).write_bytes(content)
    return seen(root)


def seen(root: Path) -> list[tuple]:
    """All rows as a reader sees them now, in order."""
    with_numbers = []
    db = recorder.open(root)
    for name in schema.SEQUENCED:
        rows = db.sql(f"select * exclude (date) from {name}", engine="arrow").to_pylist()
        with_numbers += [(row["seq"], name, tuple(row.items())) for row in rows]
    return sorted(with_numbers, key=lambda row: row[0])


def worker(*words: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def spoil(root: Path, words: list[str], times: int) -> None:
    """Kill a worker so many times while it works, then let it finish; at any time all rows are there once."""
    whole, chance = recording(root), seeded()
    template = root.with_name("template")
    prepare(root, words)
    shutil.copytree(root, template)
    process, began = at_work(root, words), time.monotonic()
    ended(process)
    works = time.monotonic() - began
    assert whole == seen(root)
    killed = late = 0
    while killed < times:
        if chance.random() < 0.5 or not work_is_left(root, words):
            shutil.rmtree(root)
            shutil.copytree(template, root)
        process = at_work(root, words)
        time.sleep(works * chance.random())
        process.send_signal(signal.SIGKILL)
        is_late = process.wait() == 0
        killed, late = killed + (not is_late), late + is_late
        process.stderr.close()
        assert whole == seen(root)
        assert [] == verify(root).flaws
        assert late <= 2 * times
    finish(words)
    assert whole == seen(root)
    print(f"{killed} kills, and {late} too late")


def at_work(root: Path, words: list[str]) -> subprocess.Popen:
    """A worker that has begun to write."""
    before = (root / "staging").stat().st_mtime_ns
    process = worker(*words)
    while process.poll() is None and (root / "staging").stat().st_mtime_ns == before:
        time.sleep(0.001)
    return process


def ended(process: subprocess.Popen) -> None:
    assert ("", 0) == (process.communicate()[1].decode(), process.returncode)


def finish(words: list[str]) -> None:
    ended(worker(*words))


def prepare(root: Path, words: list[str]) -> None:
    """What this worker works on."""
    if words[0] == "recorder.store":
        finish(["recorder.render", str(root)])


def work_is_left(root: Path, words: list[str]) -> bool:
    if words[0] == "recorder.store":
        return any(len(list(day.glob("*.parquet"))) > 1 for day in root.glob("*/date=*"))
    return bool(folder.segments(root))


def rendering(place: Path, times: int) -> None:
    spoil(place / "data", ["recorder.render", str(place / "data")], times)


def compacting(place: Path, times: int) -> None:
    spoil(place / "data", ["recorder.store", "--linger", "0", str(place / "data")], times)


def recovering(place: Path, times: int) -> None:
    spoil(place / "data", ["recorder", "recover", str(place / "data")], times)


DOING = [ingesting, rolling, rendering, compacting, recovering]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("doing", DOING, ids=lambda doing: doing.__name__)
def test_kill_nine_loses_nothing_that_was_read_and_doubles_nothing(tmp_path, doing):
    doing(tmp_path, FEW)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("doing", DOING, ids=lambda doing: doing.__name__)
def test_a_thousand_times_kill_nine(tmp_path, doing):
    doing(tmp_path, MANY)
