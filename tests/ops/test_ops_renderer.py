"""A renderer that cannot be started, as Python is replaced under a running recorder; that has to wait; that hangs.

``python tests/ops/test_ops_renderer.py CONFIG`` runs the recorder with little patience for the last.
"""

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import board
import psutil
import pytest
from board import free_port, get, told
from daemon import numbers, recording, segments, until, write_config
from scripted import scripted

from recorder.daemon import health, logs, workers
from recorder.daemon.run import run
from recorder.journal import folder
from recorder.wire.layouts import TICK_PRICE

FLUSH_SECONDS = 0.5


async def ticks(conversation, req, _fields):
    async def on():
        while not conversation.writer.is_closing() and req not in conversation.cancelled:
            conversation.send(TICK_PRICE.encode(req, {"tick_type": 1, "price": 1.5, "size": 1, "attribs": 0}))
            await asyncio.sleep(0.02)

    conversation.ticking = asyncio.ensure_future(on())


@asynccontextmanager
async def recorder(home: Path, program: str = board.__file__):
    """A recorder that flushes often, the link to the Python it runs with, and the port of its page."""
    python, port = home / "python", free_port()
    python.symlink_to(sys.executable)
    async with scripted(ticks) as gateway:
        config = write_config(home, gateway.port, "{type: stock, symbol: A}", flush=FLUSH_SECONDS)
        config.write_text(config.read_text().replace("listen: null", f'listen: "127.0.0.1:{port}"'))
        process = await asyncio.create_subprocess_exec(
            *(str(python), program, str(config)),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            await told(port, lambda found: found["flush"] and found["flush"]["failed"] is None)
            yield process, python, port
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()


async def ended(process) -> tuple[int, list[dict[str, str]]]:
    """SIGTERM: its exit code and what it has logged."""
    process.terminate()
    _, errors = await asyncio.wait_for(process.communicate(), 30)
    lines = [json.loads(line) for line in errors.decode().splitlines() if line.startswith("{")]
    assert "never retrieved" not in errors.decode()
    return process.returncode, [line for line in lines if line["level"] == "error"]


def failing(found) -> bool:
    return bool(found["flush"]["failed"])


def test_a_renderer_that_cannot_be_started_is_told_and_tried_again_at_the_next_flush(tmp_path):
    async def story():
        async with recorder(tmp_path) as (process, python, port):
            python.unlink()
            first = await told(port, failing)
            await told(port, lambda found: not found["health"]["ok"])
            unhealthy = await get(port, "/healthz")
            python.symlink_to(sys.executable)
            await told(port, lambda found: not failing(found) and found["health"]["ok"])
            assert process.returncode is None
            return first, unhealthy, await ended(process)

    first, (status, words), (code, errors) = asyncio.run(story())
    assert (
        f"the renderer cannot be started: {tmp_path / 'python'}: No such file or directory"
        == (first["flush"]["failed"])
    )
    assert 503 == status
    assert "cannot be started" in words
    assert 2 <= len(errors)
    assert {"could not write Parquet; the journal keeps everything"} == {line["event"] for line in errors}
    assert 0 == code
    assert [] == segments(tmp_path / "data")


def test_a_renderer_that_cannot_be_started_at_the_end_leaves_all_in_the_journal_and_exit_1(tmp_path):
    async def story():
        async with recorder(tmp_path) as (process, python, port):
            python.unlink()
            await told(port, failing)
            return await ended(process)

    code, errors = asyncio.run(story())
    root = tmp_path / "data"
    assert 1 == code
    assert [] != segments(root)
    assert errors[-1]["reason"].startswith("the renderer cannot be started")
    written = numbers(root)
    assert written == list(range(1, len(written) + 1))


def test_a_stop_while_a_flush_waits_for_the_disk_writes_everything_out(tmp_path):
    async def story():
        async with scripted(ticks) as gateway:
            config = write_config(tmp_path, gateway.port, "{type: stock, symbol: A}", flush=FLUSH_SECONDS)
            config.write_text(config.read_text().replace("fsync_seconds: 0.05", "fsync_seconds: 3600"))
            async with recording(config):
                await until(lambda: len(segments(tmp_path / "data")) > 1)
                await asyncio.sleep(0.2)  # the flush that sealed it now waits until it is durable

    asyncio.run(story())
    assert [] == segments(tmp_path / "data")
    written = numbers(tmp_path / "data")
    assert written == list(range(1, len(written) + 1))


def renderers(process) -> list[psutil.Process]:
    children = psutil.Process(process.pid).children()
    return [child for child in children if "recorder.render" in child.cmdline()]


def test_a_renderer_that_hangs_is_told_until_it_goes_on(tmp_path):
    async def story():
        async with recorder(tmp_path, __file__) as (process, _, port):
            await until(lambda: renderers(process))
            (hanging,) = renderers(process)
            hanging.send_signal(signal.SIGSTOP)
            first = await told(port, failing)
            await told(port, lambda found: not found["health"]["ok"])
            seen = [await get(port, path) for path in ("/healthz", "/metrics", "/")]
            await asyncio.sleep(2 * FLUSH_SECONDS)
            assert [hanging] == renderers(process)  # nobody has started another beside it, nor ended it
            hanging.send_signal(signal.SIGCONT)
            await told(port, lambda found: not failing(found) and found["health"]["ok"])
            return first, seen, await ended(process)

    first, (unhealthy, metrics, page), (code, errors) = asyncio.run(story())
    assert first["flush"]["failed"].startswith("the renderer has been at it for ")
    assert first["flush"]["at"] < first["now"]
    assert 503 == unhealthy[0]
    assert "the renderer has been at it for " in unhealthy[1]
    assert "ib_recorder_flush_failed 1\n" in metrics[1]
    assert "the renderer has been at it for " in page[1]
    assert any(line["reason"].startswith("the renderer has been at it for ") for line in errors)
    assert 0 == code
    assert [] == segments(tmp_path / "data")
    written = numbers(tmp_path / "data")
    assert written == list(range(1, len(written) + 1))


@pytest.mark.parametrize(("flush_seconds", "hangs"), [(0.1, True), (3600, False)])
def test_one_hangs_when_it_takes_longer_than_from_flush_to_flush_and_no_more_when_it_has_ended(
    tmp_path, monkeypatch, flush_seconds, hangs
):
    monkeypatch.setattr(workers, "HANGS_SECONDS", 0.05)
    folder.create(tmp_path)

    async def story():
        renderer = workers.Renderer(tmp_path, flush_seconds)
        rendering = asyncio.create_task(renderer.render(1))
        await asyncio.sleep(0.15)  # a Python that has to load Arrow takes longer
        meanwhile = renderer.hangs is not None
        await rendering
        await asyncio.sleep(0.15)
        return meanwhile, renderer.hangs, renderer.flush.failed

    assert (hangs, None, None) == asyncio.run(story())


if __name__ == "__main__":
    workers.HANGS_SECONDS = health.PATIENCE_SECONDS = 1.0
    logs.configure()
    run(Path(sys.argv[1]))
