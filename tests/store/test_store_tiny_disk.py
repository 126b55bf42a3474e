"""A tiny disk, filled and freed time and again under a running recorder: what is missing is in a gap."""

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from board import free_port, told
from daemon import table
from mounted import needs_mount
from numbered import numbered

from recorder.verify import verify
from recorder.wire.layouts import TICK_STRING

TIMES, LONG = 50, 3
"""So often it is filled; so often until spares and memory are full too."""

MB = 1_000_000
PADDING = "x" * 1500
CONFIG = """\
gateway: {{port: {port}, reconnect_min_seconds: 0.1}}
storage: {{root: disk, flush_seconds: 0.3, spare_megabytes: 8, memory_megabytes: 32, archive_days: 0}}
status: {{listen: "127.0.0.1:{page}"}}
watchlist: [{{type: stock, symbol: A}}]
"""


def padded(req: int, number: int) -> bytes:
    return TICK_STRING.encode(req, {"tick_type": 45, "text": f"{number} {PADDING}"})


@asynccontextmanager
async def mounted(folder: Path, megabytes: int) -> AsyncIterator[tuple[str, ...]]:
    """A small file system at ``folder`` for those who are started with the command given."""
    holder = await asyncio.create_subprocess_exec(
        "unshare", "-m", "sh", "-c",
        f"mkdir {folder} && mount -t tmpfs -o size={megabytes}m tmpfs {folder} && echo there && exec sleep 1000",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert b"there\n" == await holder.stdout.readline()
        yield ("nsenter", "-t", str(holder.pid), "-m")
    finally:
        holder.kill()
        await holder.wait()


@asynccontextmanager
async def full(disk: Path) -> AsyncIterator[None]:
    """No room at all, also where some is made meanwhile."""
    filler = disk / f"filler-{random.random()}"
    _fill(filler)
    filling = asyncio.create_task(_keep_full(filler))
    try:
        yield
    finally:
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)
        filler.unlink()


async def _keep_full(filler: Path) -> None:
    while True:
        _fill(filler)
        await asyncio.sleep(0.01)


def _fill(filler: Path) -> None:
    for size in (MB, 4096):
        with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
            while file.write(bytes(size)):
                pass


async def story(place: Path) -> None:
    async with mounted(place / "disk", 96) as inside, numbered(0.002, padded) as (gateway, _):
        page = free_port()
        (place / "config.yaml").write_text(CONFIG.format(port=gateway.port, page=page))
        process = await asyncio.create_subprocess_exec(
            *inside,
            sys.executable,
            "-m",
            "recorder",
            "run",
            place / "config.yaml",
            stderr=asyncio.subprocess.PIPE,
        )
        listening = asyncio.create_task(process.stderr.read())
        try:
            await fill_and_free(Path(f"/proc/{inside[2]}/root{place}/disk"), page)
            process.terminate()
            said = (await listening).decode()
            assert 0 == await process.wait(), said
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        judge(Path(f"/proc/{inside[2]}/root{place}/disk"), said)


async def fill_and_free(disk: Path, page: int) -> None:
    for time in range(TIMES):
        async with full(disk):
            if time % (TIMES // LONG) == 1:
                await told(page, lambda found: "nothing is recorded" in (found["disk_trouble"] or ""))
            await asyncio.sleep(random.uniform(0, 0.2))
        await told(page, lambda found: found["disk_trouble"] is None)


def judge(root: Path, said: str) -> None:
    assert [] == verify(root).flaws
    rows = table(root, "level1")
    numbers = rows["text"].str.split(" ").str[0].astype(int).tolist()
    assert sorted(set(numbers)) == numbers
    seqs = rows["seq"].tolist()
    gaps = table(root, "gaps")
    overflows = gaps[gaps["reason"] == "overflow"]
    holes = [at for at in range(1, len(numbers)) if numbers[at] != numbers[at - 1] + 1]
    for at in holes:
        around = (overflows["seq_start"] <= seqs[at - 1]) & (overflows["seq_end"] >= seqs[at - 1])
        assert around.any(), (numbers[at - 1], numbers[at])
    lost = sum(numbers[at] - numbers[at - 1] - 1 for at in holes)
    print(f"{len(numbers)} ticks, {len(holes)} holes of {lost} ticks, {len(overflows)} overflow gaps")
    assert LONG <= len(holes) <= len(overflows)
    assert "Traceback" not in said


@needs_mount
@pytest.mark.timeout(300)
def test_a_tiny_disk_filled_and_freed_fifty_times_leaves_rows_and_gaps_and_nothing_else(tmp_path):
    asyncio.run(story(tmp_path))
