"""The unit file: how well it shuts the recorder in, and that the recorder works shut in."""

import asyncio
import importlib.util
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

HERE = Path(__file__).parent
UNIT = HERE.parents[1] / "systemd" / "ib-recorder.service"
MOST_EXPOSURE = 1.5
TICKS = 500

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def load(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


@needs_systemd
def test_the_unit_is_shut_in_well():
    said = analyze("security", "--offline=true", "--no-pager", str(UNIT)).stdout
    found = re.search(r"Overall exposure level for ib-recorder.service: ([\d.]+)", said)
    assert float(found[1]) <= MOST_EXPOSURE, said


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    installed = tmp_path / UNIT.name
    installed.write_text(re.sub("ExecStart=[^ ]+", f"ExecStart={sys.executable}", UNIT.read_text()))
    done = analyze("verify", "--man=no", str(installed))
    assert (0, "") == (done.returncode, done.stdout + done.stderr)


def test_the_unit_starts_the_command_that_the_project_installs():
    (command,) = re.findall("^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE)
    program, *arguments = command.split()
    assert ("ib-recorder", "run") == (Path(program).name, arguments[0])


@needs_systemd
def test_the_recorder_works_under_the_units_confinement(tmp_path):
    from_gateway = load(HERE.parent / "scripted.py")

    async def on_subscribed(conversation, req, _fields):
        conversation.send(from_gateway.frame("2", "6", str(req), "0", "100") * TICKS)

    async def story():
        async with from_gateway.scripted(on_subscribed) as gateway:
            config = tmp_path / "watchlist.yaml"
            config.write_text(
                f"gateway: {{port: {gateway.port}}}\nstorage: {{root: data, flush_seconds: 1}}\n"
                "status: {listen: null}\nwatchlist: [{type: stock, symbol: AAPL}]\n"
            )
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(HERE / "confined.py"), str(UNIT)),
                *(sys.executable, "-m", "recorder", "run", str(config)),
            )
            for _ in range(200):
                if process.returncode is not None or list((tmp_path / "data").glob("level1/*/*.parquet")):
                    break
                await asyncio.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            return await asyncio.wait_for(process.wait(), 30)

    assert 0 == asyncio.run(story())
    written = (tmp_path / "data").glob("level1/*/*.parquet")
    assert TICKS == sum(pq.read_metadata(file).num_rows for file in written)


@needs_systemd
@pytest.mark.parametrize(
    ("deed", "error"),
    [
        ("import mmap; mmap.mmap(-1, 4096, prot=7)", "PermissionError"),
        ("import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)", "PermissionError"),
        ("import os; os.sched_setaffinity(0, {0})", "PermissionError"),
        ("import ctypes; print(ctypes.CDLL(None).mount(b'/', b'/', None, 4096, None))", "-1"),
    ],
    ids=["executable memory", "a raw socket", "scheduling", "mounting"],
)
def test_confined_means_confined(deed, error):
    command = [sys.executable, str(HERE / "confined.py"), str(UNIT), sys.executable, "-c", deed]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert error in done.stdout + done.stderr
