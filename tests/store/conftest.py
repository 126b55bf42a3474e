"""What tests of the store share: programs that can be stopped at any call, and a folder where syncing is cheap."""

import shutil
import tempfile
from pathlib import Path

import pytest
from faults.supervise import Supervisor

WARM = (
    "pandas", "pyarrow.dataset", "recorder.render.recover", "recorder.cli.recover", "recorder.cli.errors",
    "recorder.daemon.run", "recorder.reader.errors", "recorder.capture.tap", "recorder.store",
)  # fmt: skip
IN_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="session")
def supervisor():
    with Supervisor(*WARM) as running:
        yield running


@pytest.fixture
def quick(tmp_path):
    """A folder in memory where there is one: thousands of runs that sync would wear a disk out."""
    if not IN_MEMORY.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as name:
        yield Path(name)
    shutil.rmtree(name, ignore_errors=True)
