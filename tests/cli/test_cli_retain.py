"""``ib-recorder retain`` tells what it did from what it would do."""

import subprocess
import sys
from datetime import timedelta

from store.recordings import DAY, put, recording, tick

NEXT = DAY + timedelta(1)


def retain(root, *options):
    """The lines that the command says."""
    run = [sys.executable, "-m", "recorder", "retain", str(root), "--days", "1", *options]
    return subprocess.run(run, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()


def test_what_would_go_is_not_said_to_be_gone_and_what_is_gone_is(tmp_path):
    path = put(recording(tmp_path), "level1", [tick(1)])
    put(tmp_path, "level1", [tick(2, day=NEXT)], NEXT)
    megabytes = f"{path.stat().st_size / 1e6:,.1f} MB"
    stays = (
        f"kept: 1 day, {NEXT}: that old, but among the newest that are recorded, of which as many are kept"
    )
    assert [
        stays,
        f"would delete 1 file of 1 day, {megabytes}",
        "nothing was deleted; with --delete it is",
    ] == retain(tmp_path)[-3:]
    assert path.exists()
    assert f"deleted 1 file of 1 day, {megabytes}" == retain(tmp_path, "--delete")[-1]
    assert not path.exists()
    assert ["nothing to delete", stays] == retain(tmp_path)


def test_a_day_of_two_tables_is_one_day(tmp_path):
    recording(tmp_path)
    put(tmp_path, "level1", [tick(9, day=NEXT)], NEXT)
    for seq, table in enumerate(("level1", "midpoints"), 1):
        row = tick(seq) if table == "level1" else {"ts_recv": tick(1)["ts_recv"], "seq": seq, "symbol": "A"}
        put(tmp_path, table, [row], DAY)
    assert retain(tmp_path, "--delete")[-1].startswith("deleted 2 files of 1 day, ")
