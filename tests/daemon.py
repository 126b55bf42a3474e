"""The recorder as a user runs it: a process, a config file, signals."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pandas as pd
import pyarrow.dataset as ds

from recorder import schema

CONFIG = """\
gateway:
  {{port: {port}, reconnect_min_seconds: 0.1, reconnect_max_seconds: 0.5, connect_timeout_seconds: 5{gateway}}}
storage: {{root: data, flush_seconds: {flush}, fsync_seconds: 0.05}}
status: {{listen: null}}
watchlist:
{lines}
"""


def write_config(folder: Path, port: int, *lines: str, flush: float = 300, gateway: str = "") -> Path:
    """A config file in ``folder``, whose recording will be ``folder/data``."""
    path = folder / "config.yaml"
    listed = "\n".join(f"  - {line}" for line in lines)
    path.write_text(CONFIG.format(port=port, lines=listed, flush=flush, gateway=gateway and f", {gateway}"))
    return path


async def start(*command: str, new_group: bool = False) -> asyncio.subprocess.Process:
    """``ib-recorder`` with these arguments; ``new_group``: as a shell starts it."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "recorder", *command,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        process_group=0 if new_group else None,
    )  # fmt: skip


async def run(*command: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a command that ends by itself."""
    process = await start(*command)
    output, errors = await process.communicate()
    return process.returncode or 0, output.decode(), errors.decode()


async def python(code: str, folder: Path | str) -> tuple[int, str, str]:
    """Exit code, output and errors of a program that a user pastes, in ``folder``."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error::SyntaxWarning", "-c", code,
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    return process.returncode or 0, output.decode(), errors.decode()


@asynccontextmanager
async def ended(process: asyncio.subprocess.Process) -> AsyncIterator[asyncio.subprocess.Process]:
    """A daemon while the block runs; stopped by SIGTERM behind it, which must end it well."""
    try:
        yield process
        if process.returncode is None:
            process.terminate()
        _, errors = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, errors.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@asynccontextmanager
async def recording(config: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """``ib-recorder run`` while the block runs."""
    async with ended(await start("run", str(config))) as process:
        yield process


async def until(condition, seconds: float = 60.0) -> None:
    """Wait for something to become true."""
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen in time")


def table(root: Path, name: str) -> pd.DataFrame:
    """All rows of a table in order of arrival, from Parquet alone."""
    folder = root / name
    if not folder.exists():
        return schema.schema(name).empty_table().to_pandas()
    rows = ds.dataset(folder, format="parquet", partitioning=None).to_table().to_pandas()
    key = "seq" if "seq" in rows else rows.columns[0]
    return rows.sort_values(key, ignore_index=True)


def numbers(root: Path) -> list[int]:
    """Every ``seq`` there is in the Parquet files, over all tables."""
    return sorted(int(seq) for name in schema.SEQUENCED for seq in table(root, name)["seq"])


def segments(root: Path) -> list[str]:
    """The journal's segments."""
    return sorted(path.name for path in (root / "journal").glob("*.journal"))
