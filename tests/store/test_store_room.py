"""On a disk without any room retention makes some, by one of the journal's spares."""

import os
import subprocess
import sys

import pytest
from mounted import needs_mount
from store.recordings import recording

from recorder.store.room import with_room

FULL = """
import os, subprocess, sys
from datetime import timedelta
from pathlib import Path
from store.recordings import DAY, put, recording, tick

disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk], check=True)
root = recording(disk / "data")
for number in range(5):
    put(root, "level1", [tick(number + 1, day=DAY + timedelta(number))], DAY + timedelta(number))
for name in ("compact.lock", "render.lock"):
    (root / "journal" / name).touch()
for number in range(int(sys.argv[2])):
    spare = root / "journal" / f"spare-{number + 1}"
    spare.touch()
    subprocess.run(["fallocate", "-n", "-l", "1M", spare], check=True)
try:
    with (disk / "full").open("wb", 0) as file:
        while file.write(bytes(4096)):
            pass
except OSError:
    assert 0 == os.statvfs(disk).f_bavail
run = [sys.executable, "-m", "recorder.store", root, "--retain-days", "2", "--archive-days", "0"]
done = subprocess.run(run, capture_output=True, text=True)
print(done.returncode, len(list((root / "level1").iterdir())), len(list((root / "journal").glob("spare-*"))))
print(done.stderr.strip().replace(str(root), "ROOT"))
"""


def on_a_full_disk(folder, spares):
    """The exit code, the days of ticks and the spares that are left; and what was said."""
    run = ["unshare", "-m", sys.executable, "-c", FULL, str(folder), str(spares)]
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(
        run, capture_output=True, text=True, timeout=60, check=True, env=os.environ | paths
    ).stdout
    counts, _, errors = said.partition("\n")
    return counts, errors.strip()


@needs_mount
def test_on_a_full_disk_a_spare_is_given_back_and_old_days_go(tmp_path):
    assert ("0 2 1", "") == on_a_full_disk(tmp_path, spares=2)


@needs_mount
def test_on_a_full_disk_without_spares_nothing_goes_and_it_is_said_in_one_line(tmp_path):
    counts, errors = on_a_full_disk(tmp_path, spares=0)
    assert "1 5 0" == counts
    assert 1 == len(errors.splitlines())
    assert "No space left on device" in errors


def test_while_there_is_room_no_spare_is_touched_nor_what_is_a_segment_by_another_name(tmp_path):
    root, tries = recording(tmp_path), []
    for name in ("spare-1", "spare-2"):
        (root / "journal" / name).write_bytes(b"records")

    def refused():
        tries.append(1)
        raise OSError(28, "No space left on device")

    assert 7 == with_room(root, lambda: 7)
    with pytest.raises(OSError, match="No space left"):
        with_room(root, refused)
    assert [1] == tries
    assert 2 == len(list((root / "journal").glob("spare-*")))
