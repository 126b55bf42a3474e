"""A disk that fills, as the log, the page and ``status`` tell it.

``python tests/ops/test_ops_disk_served.py recorder CONFIG`` runs the recorder for which every disk is too small;
``... board ROOT PORT`` (0: no page) shows a journal on the disk at ROOT, of which 3 MB are to stay free.
"""

import asyncio
import json
import os
import random
import re
import resource
import shutil
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from board import free_port, get, told
from daemon import run, until, write_config
from mounted import needs_mount

from recorder.capture.tap import Tap
from recorder.config import Config, Line
from recorder.daemon import disk, logs, status
from recorder.daemon import run as daemon
from recorder.daemon.report import Flush
from recorder.daemon.status import Board
from recorder.journal import folder
from recorder.journal.writer import Journal, now
from recorder.session.machine import Machine
from recorder.session.timing import Timing

MB = 1_000_000
AAPL = "{type: stock, symbol: AAPL}"


@asynccontextmanager
async def saying(*command):
    """A process while the block runs, and what it logs."""
    imports = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = await asyncio.create_subprocess_exec(*command, env=imports, stderr=asyncio.subprocess.PIPE)
    said = []

    async def listen():
        while line := await process.stderr.readline():
            said.append(json.loads(line))

    listening = asyncio.create_task(listen())
    try:
        yield process, said
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await listening


@asynccontextmanager
async def on_small_disk(root, port):
    """A board of a root on a disk of 16 MB: the root as seen from here, and what is logged."""
    mounted = (
        f"mount -t tmpfs -o size=16m tmpfs {root} && exec {sys.executable} {__file__} board {root} {port}"
    )
    async with saying("unshare", "-m", "sh", "-c", mounted) as (process, said):
        await until(lambda: said or process.returncode is not None)
        yield Path(f"/proc/{process.pid}/root{root}"), said


def words(said):
    """What was said of the room, with its level."""
    return [
        (line["level"], line["event"])
        for line in said
        if line["event"].startswith(("the disk", "there is room"))
    ]


@needs_mount
def test_a_disk_that_fills_is_told_everywhere_and_so_is_the_room_that_returns(tmp_path):
    async def story():
        port = free_port()
        async with on_small_disk(tmp_path, port) as (root, said):
            well = await told(port, lambda found: found["health"]["ok"])
            (root / "other").write_bytes(bytes(14 * MB))
            nearly = await told(port, lambda found: not found["health"]["ok"])
            seen = [await get(port, path) for path in ("/healthz", "/metrics", "/")]
            with pytest.raises(OSError, match="No space"):
                (root / "more").write_bytes(bytes(20 * MB))
            full = await told(port, lambda found: found["disk_trouble"])
            in_trouble = await get(port, "/metrics"), await get(port, "/healthz")
            (root / "other").unlink()
            (root / "more").unlink()
            again = await told(port, lambda found: found["health"]["ok"])
            await until(lambda: len(words(said)) > 1)
        return well, nearly, seen, (full, *in_trouble), again, words(said)

    well, nearly, (health, metrics, page), (full, *in_trouble), again, said = asyncio.run(story())
    assert well["disk_free_bytes"] > 12 * MB
    assert 3 * MB > nearly["disk_free_bytes"] > 2 * MB > 100_000 > full["disk_free_bytes"]
    assert 503 == health[0]
    assert re.match(r"the disk is nearly full \(2\.\d MB left\)", health[1])
    assert re.search(r"^ib_recorder_disk_free_bytes 2\d{6}$", metrics[1], re.MULTILINE)
    assert "ib_recorder_healthy 0\n" in metrics[1]
    assert 'class="bad">The disk is nearly full' in page[1]
    assert full["disk_trouble"].startswith("the disk is full since ")
    assert full["health"]["words"].startswith(full["disk_trouble"])
    assert "ib_recorder_disk_trouble 1\n" in in_trouble[0][1]
    assert 503 == in_trouble[1][0]
    assert again["disk_trouble"] is None
    assert ["error", "info"] == [level for level, _ in said]
    assert "there is room again" == said[-1][1]


@needs_mount
def test_a_disk_that_shrinks_has_days_left(tmp_path):
    """Samples every 20 ms: half a minute and less stands for the thirty hours."""

    async def story():
        port = free_port()
        async with on_small_disk(tmp_path, port) as (root, said):
            with (root / "other").open("wb", buffering=0) as file:
                for _ in range(100):
                    file.write(bytes(60_000))
                    await asyncio.sleep(0.02)
            found = await told(port, lambda found: found["disk_days_left"] is not None)
            seen = await get(port, "/metrics"), await get(port, "/")
            await until(lambda: words(said))
        return found, seen, words(said)

    found, (metrics, page), said = asyncio.run(story())
    left = found["disk_free_bytes"] / found["disk_bytes_a_day"]
    assert 0 < found["disk_days_left"] < 7
    assert abs(left - found["disk_days_left"]) < 0.01
    assert "\nib_recorder_disk_days_left " in metrics[1]
    assert "the disk is full in about " in page[1].lower()
    assert any(level in ("warning", "error") and "full in about" in text for level, text in said)


@needs_mount
def test_the_log_tells_of_the_disk_when_there_is_no_page(tmp_path):
    async def story():
        async with on_small_disk(tmp_path, 0) as (root, said):
            (root / "other").write_bytes(bytes(14 * MB))
            await until(lambda: words(said))
            await asyncio.sleep(0.3)
        return words(said)

    ((level, text),) = asyncio.run(story())
    assert "error" == level
    assert text.startswith("the disk is nearly full (")


def test_a_recorder_without_a_page_warns_of_its_disk(tmp_path):
    async def story():
        config = write_config(tmp_path, free_port(), AAPL)
        async with saying(sys.executable, __file__, "recorder", str(config)) as (_, said):
            await until(lambda: words(said))
            await asyncio.sleep(0.5)
        return words(said)

    ((level, text),) = asyncio.run(story())
    assert "error" == level
    assert text.startswith("the disk is nearly full (")


def test_what_keeps_the_journal_from_disk_counts_at_once_until_all_is_durable(tmp_path):
    """A process whose files may grow no more, and then may again."""

    async def story():
        port = free_port()
        async with saying(sys.executable, __file__, "board", str(tmp_path), str(port)) as (process, _):
            await told(port, lambda found: found["health"]["ok"])
            limits = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            found = await told(port, lambda found: found["disk_trouble"])
            seen = [await get(port, path) for path in ("/healthz", "/metrics", "/")]
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)
            await told(port, lambda found: not found["disk_trouble"])
            return found, seen, await get(port, "/healthz"), await get(port, "/metrics")

    found, (health, metrics, page), healthy, over = asyncio.run(story())
    assert "recording into memory" in found["disk_trouble"]
    assert (False, True) == (
        found["health"]["ok"],
        found["health"]["words"].startswith(found["disk_trouble"]),
    )
    assert (503, True) == (health[0], "recording into memory" in health[1])
    assert "ib_recorder_disk_trouble 1\n" in metrics[1]
    assert "ib_recorder_healthy 0\n" in metrics[1]
    assert 'class="bad">The disk fails (File too large) since ' in page[1]
    assert 200 == healthy[0]
    assert "ib_recorder_disk_trouble 0\n" in over[1]


# In one process. -----------------------------------------------------------------------------------------


@asynccontextmanager
async def boarded(root, *compacted):
    """A board of a journal, without a page."""
    tap = Tap(Journal(root, folder.create(root), fsync_seconds=0.05, clock=now), lambda: None)
    machine = Machine(
        Config(watchlist=(Line(type="stock", symbol="AAPL"),)),
        iter(range(1, 1000)).__next__,
        Timing(),
        random.Random(1),
    )
    try:
        yield Board(root, machine, tap, lambda: None, *compacted)
    finally:
        tap.journal.close()


def asked(root, *compacted):
    """Everything it serves, by path."""

    async def story():
        async with boarded(root, *compacted) as board:
            return {path: board.answer(path) for path in ("/", "/metrics", "/healthz", "/status.json")}

    return {path: (answer.status, answer.body.decode()) for path, answer in asyncio.run(story()).items()}


def test_a_journal_that_is_well_is_no_trouble(tmp_path):
    seen = asked(tmp_path)
    assert 200 == seen["/healthz"][0]
    assert "ib_recorder_disk_trouble 0\n" in seen["/metrics"][1]
    said = json.loads(seen["/status.json"][1])
    assert (None, None, None) == tuple(
        said[name] for name in ("disk_trouble", "disk_days_left", "compaction")
    )
    assert "disk_days_left" not in seen["/metrics"][1]


@pytest.mark.parametrize("failed", [None, "date=2026-11-20: <no> space"])
def test_the_last_compaction_is_told_and_whether_it_failed(tmp_path, failed):
    seen = asked(tmp_path, lambda: Flush(now() - 630_000_000, 12.5, failed))
    said = json.loads(seen["/status.json"][1])["compaction"]
    assert (12.5, failed) == (said["seconds"], said["failed"])
    assert f"ib_recorder_compaction_failed {int(failed is not None)}\n" in seen["/metrics"][1]
    assert "ib_recorder_compaction_duration_seconds 12.5\n" in seen["/metrics"][1]
    assert f"last compaction 10 min ago, {'failed after' if failed else 'took'} 12.5 s" in seen["/"][1]
    assert ("days are not compacted: date=2026-11-20: &lt;no&gt; space" in seen["/"][1]) == (
        failed is not None
    )
    assert 200 == seen["/healthz"][0]  # nothing is lost, and the disk's own alarm says when it matters


def test_status_tells_of_the_disk_and_of_the_compaction(tmp_path):
    """The command, over the socket of a board whose days are known."""

    async def story():
        port = free_port()
        failed = Flush(now(), 2.0, "no room")
        async with boarded(tmp_path, lambda: failed) as board:
            for _ in range(disk._KEPT):
                board._room.take(0)
            board._room._days.append(shutil.disk_usage(tmp_path).free // 5)
            showing = asyncio.create_task(board.show(f"127.0.0.1:{port}"))
            await told(port, lambda found: found["disk_days_left"] is not None)
            config = write_config(tmp_path, 4002, AAPL)
            text = config.read_text().replace("{listen: null}", f'{{listen: "127.0.0.1:{port}"}}')
            config.write_text(text.replace("root: data", f"root: {tmp_path}"))
            shown = await run("status", str(config))
            showing.cancel()
        return shown

    code, output, errors = asyncio.run(story())
    assert (0, "") == (code, errors)
    (line,) = [line for line in output.splitlines() if line.startswith("the disk is full in about 5 days (")]
    assert line.endswith("ago, failed: no room")


# As processes. -------------------------------------------------------------------------------------------


async def _board(root, port):
    disk.SAMPLE_SECONDS, disk.LEAST_BYTES, disk.FULL_BYTES = 0.02, 3 * MB, 100_000
    async with boarded(root) as board:
        status.log.info("the root is there")
        await asyncio.gather(board.show(f"127.0.0.1:{port}" if port else None), _record(board._tap.journal))


async def _record(journal):
    while True:
        journal.read(bytes(1000), now())
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    logs.configure()
    if sys.argv[1] == "board":
        asyncio.run(_board(Path(sys.argv[2]), int(sys.argv[3])))
    else:
        disk.LEAST_BYTES = 1 << 62
        disk.SAMPLE_SECONDS = 0.05
        daemon.run(Path(sys.argv[2]))
