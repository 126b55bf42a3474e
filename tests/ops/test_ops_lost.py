"""A stop whose last bytes the disk does not take: the exit code and the log say what is lost."""

import asyncio
import errno
import json
import os
import re
import sys
from pathlib import Path

import pytest
from daemon import numbers, recording, table, until, write_config
from mounted import needs_mount
from numbered import numbered

from recorder.daemon.lost import lost
from recorder.wire.layouts import TICK_STRING

PADDING = "x" * 1500


def padded(req, number):
    return TICK_STRING.encode(req, {"tick_type": 45, "text": f"{number} {PADDING}"})


async def on_small_journal(config: Path) -> asyncio.subprocess.Process:
    """A recorder whose journal, and nothing else, lies on a disk of 1 MB."""
    journal = config.parent / "data" / "journal"
    journal.mkdir(parents=True)
    mounted = f"mount -t tmpfs -o size=1m tmpfs {journal} && exec {sys.executable} -m recorder run {config}"
    return await asyncio.create_subprocess_exec(
        *("unshare", "-m", "sh", "-c", mounted),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=asyncio.subprocess.PIPE,
    )


@needs_mount
def test_rows_that_were_in_memory_alone_are_counted_and_the_next_start_leaves_a_gap(tmp_path):
    async def story():
        async with numbered(0.02, padded) as (gateway, market):
            config = write_config(tmp_path, gateway.port, "{type: stock, symbol: AAPL}")
            config.write_text(config.read_text().replace("data,", "data, spare_megabytes: 0,"))
            process = await on_small_journal(config)
            await until(lambda: market.next > 2000)
            process.terminate()
            _, errors = await asyncio.wait_for(process.communicate(), 30)
            recorded = table(tmp_path / "data", "level1")
            async with recording(config):
                await until(lambda: len(gateway.conversations) == 2)
                await asyncio.sleep(0.5)
        return process.returncode, errors.decode().splitlines(), recorded

    code, (*said, last), recorded = asyncio.run(story())
    assert 1 == code, said
    rows = int(
        re.search(r"data: ([\d,]+) rows are lost, the last ones: they were in memory", last)[1].replace(
            ",", ""
        )
    )
    assert "No space left on device" in last
    told = [json.loads(line) for line in said]
    assert last in [line.get("reason") for line in told if line["level"] == "error"]
    ticks = told[-1]["messages"] - len(recorded)
    assert 0 < len(recorded)
    assert 0 < ticks <= rows < ticks + 10  # some are of events
    written = numbers(tmp_path / "data")
    assert written == list(range(1, len(written) + 1))
    gaps = table(tmp_path / "data", "gaps")
    (gap,) = gaps[gaps["reason"] == "restart"].itertuples()
    assert recorded["seq"].max() == gap.seq_start


FULL = OSError(errno.ENOSPC, "1.journal: not durable: No space left on device")


@pytest.mark.parametrize(
    ("rows", "words"), [(1234, "1,234 rows are lost, the last ones: "), (None, "the last rows may be lost: ")]
)
def test_what_is_not_known_is_not_claimed(rows, words):
    said = str(lost(Path("data"), FULL, rows))
    assert f"data: {words}they were in memory" in said
    assert said.endswith("1.journal: not durable: No space left on device")


def test_nothing_is_lost_if_every_row_has_come_to_its_table():
    assert lost(Path("data"), FULL, 0) is None
