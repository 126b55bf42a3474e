"""SIGHUP at awkward moments: behind SIGTERM, before recording begins, one upon the other, with a long watchlist."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil
from board import free_port, get, impatient, told, write_shown
from daemon import ended, recording, segments, start, table, until, write_config
from scripted import scripted

from recorder.daemon.running import running
from recorder.journal import folder
from recorder.journal.lock import rendering


async def nothing(_conversation, _req, _fields):
    """A market that is asleep."""


def listed(*symbols: str) -> list[str]:
    return [f"{{type: stock, symbol: {symbol}}}" for symbol in symbols]


def names(config) -> list[str]:
    return [line.symbol for line in config.watchlist]


def events(root: Path, kind: str) -> list[str]:
    found = table(root, "events")
    return found[found["kind"] == kind]["text"].tolist()


def asked(gateway) -> list[str]:
    return [fields[4] for it in gateway.conversations for fields in it.asked.values()]


def test_behind_sigterm_nothing_is_reloaded(tmp_path):
    async def story():
        async with scripted(nothing) as gateway:
            process = await start("run", str(write_config(tmp_path, gateway.port, *listed("A"))))
            await until(lambda: asked(gateway))
            write_config(tmp_path, gateway.port, *listed("B"))
            process.terminate()
            while process.returncode is None:
                # Not send_signal: it looks whether the process has ended, and takes the exit code from asyncio.
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGHUP)
                await asyncio.sleep(0.02)
            return process.returncode, (await process.stderr.read()).decode()

    code, said = asyncio.run(story())
    root = tmp_path / "data"
    assert 0 == code, said
    assert "not reloaded: stopping" in said
    assert '"event": "reloaded"' not in said
    assert ["A"] == names(running(root))
    assert ([], []) == (events(root, "reloaded"), segments(root))


def test_one_that_is_being_read_when_sigterm_comes_is_not_applied(tmp_path):
    async def story():
        async with scripted(nothing) as gateway:
            process = await start("run", str(write_config(tmp_path, gateway.port, *listed("A"))))
            await until(lambda: asked(gateway))
            write_config(tmp_path, gateway.port, *listed(*(f"S{number}" for number in range(400))))
            process.send_signal(signal.SIGHUP)
            await asyncio.sleep(0.05)
            process.terminate()
            _, errors = await asyncio.wait_for(process.communicate(), 30)
            return process.returncode, errors.decode()

    code, said = asyncio.run(story())
    assert 0 == code, said
    assert "not reloaded: stopping" in said
    assert ["A"] == names(running(tmp_path / "data"))
    assert [] == events(tmp_path / "data", "reloaded")


def test_however_many_come_while_one_is_read_they_are_one_more_with_the_last_file(tmp_path):
    many = listed("A", *(f"S{number}" for number in range(1500)))

    async def story():
        async with scripted(nothing) as gateway:
            config = write_config(tmp_path, gateway.port, *listed("A"))
            async with impatient(config) as (process, _):
                await until(lambda: asked(gateway))
                write_config(tmp_path, gateway.port, *many, gateway="max_lines: 1")
                process.send_signal(signal.SIGHUP)
                await asyncio.sleep(0.1)
                write_config(tmp_path, gateway.port, *listed("A", "LAST"))
                for _ in range(5):
                    process.send_signal(signal.SIGHUP)
                    await asyncio.sleep(0.005)
                await until(lambda: "LAST" in asked(gateway))
                await asyncio.sleep(0.3)

    asyncio.run(story())
    root = tmp_path / "data"
    assert ["+0 -0, 1 of 1 lines, 1500 refused", "+1 -0, 2 of 100 lines"] == events(root, "reloaded")
    assert ["A", "LAST"] == names(running(root))


def test_one_that_comes_during_recovery_is_done_as_soon_as_recording_begins(tmp_path):
    async def story():
        async with scripted(nothing) as gateway:
            config = write_config(tmp_path, gateway.port, *listed("A"))
            killed = await start("run", str(config))
            await until(lambda: asked(gateway))
            killed.kill()
            await killed.communicate()
            async with recording(config) as process:
                recovering = psutil.Process(process.pid)
                await until(recovering.children)
                write_config(tmp_path, gateway.port, *listed("A", "B"))
                process.send_signal(signal.SIGHUP)
                await until(lambda: "B" in asked(gateway))

    asyncio.run(story())
    assert ["+1 -0, 2 of 100 lines"] == events(tmp_path / "data", "reloaded")


def test_one_at_any_moment_of_the_start_ends_nothing_that_has_begun(tmp_path):
    """From the lock on, which is the first thing that others see of it."""

    async def story():
        async with scripted(nothing) as gateway:
            config = write_config(tmp_path, gateway.port, *listed("A"))
            async with recording(config) as process:
                await until(lambda: list((tmp_path / "data" / "journal").glob("*.journal")))
                write_config(tmp_path, gateway.port, *listed("A", "B"))
                process.send_signal(signal.SIGHUP)
                await until(lambda: "B" in asked(gateway))

    asyncio.run(story())
    assert len(events(tmp_path / "data", "reloaded")) == 1


def test_one_that_comes_before_the_recorder_listens_is_done_as_soon_as_recording_begins(tmp_path):
    """The file has been read, and the start waits: a renderer of before is still at its work."""
    root = tmp_path / "data"
    folder.create(root)

    async def story():
        async with scripted(nothing) as gateway:
            config = write_config(tmp_path, gateway.port, *listed("A"))
            with rendering(root):
                process = await start("run", str(config))
                await until(lambda: root / "journal" / "render.lock" in opened(process.pid))
                write_config(tmp_path, gateway.port, *listed("A", "B"))
                process.send_signal(signal.SIGHUP)
                await asyncio.sleep(0.2)
            async with ended(process):
                await until(lambda: "B" in asked(gateway))

    asyncio.run(story())
    assert ["+1 -0, 2 of 100 lines"] == events(root, "reloaded")


def opened(pid: int) -> list[Path]:
    """The files that a process has open."""
    return [Path(file.path) for file in psutil.Process(pid).open_files()]


def test_a_long_watchlist_is_read_beside_the_loop_that_reads_the_socket(tmp_path):
    """It takes seconds to read, and is refused for its last line: nobody waits so long."""
    streams = "streams: [level1, trades, quotes, midpoints, depth, bars]"
    many = [f"{{type: stock, symbol: S{number}, {streams}}}" for number in range(2000)]

    async def story():
        async with scripted(nothing) as gateway:
            port = free_port()
            config = write_shown(tmp_path, gateway.port, *listed("A"), listen=f"127.0.0.1:{port}")
            async with impatient(config) as (process, said):
                await told(port, lambda found: found["phase"] == "online")
                text = config.read_text()
                config.write_text(text.replace(*listed("A"), "\n  - ".join([*many, "{type: stok}"])))
                process.send_signal(signal.SIGHUP)
                longest = 0.0
                while not any("not reloaded" in line for line in said):
                    began = time.monotonic()
                    await get(port, "/healthz")
                    longest = max(longest, time.monotonic() - began)
                return longest

    late = asyncio.run(story())
    assert late < 1.0, late
    (refused,) = events(tmp_path / "data", "reload_refused")
    assert "watchlist[2000].type" in refused
