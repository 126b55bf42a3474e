"""``ib-recorder retain`` tells what it did from what it would do."""

import subprocess
import sys

from store.recordings import DAY, put, recording, tick


def retain(root, *options):
    """The lines that the command says."""
    run = [sys.executable, "-m", "recorder", "retain", str(root), "--days", "30", *options]
    return subprocess.run(run, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()


def test_what_would_go_is_not_said_to_be_gone_and_what_is_gone_is(tmp_path):
    path = put(recording(tmp_path), "level1", [tick(1)])
    megabytes = f"{path.stat().st_size / 1e6:,.1f} MB"
    assert [
        f"would delete 1 file of 1 day, {megabytes}",
        "nothing was deleted; with --delete it is",
    ] == retain(tmp_path)[-2:]
    assert path.exists()
    assert f"deleted 1 file of 1 day, {megabytes}" == retain(tmp_path, "--delete")[-1]
    assert not path.exists()


def test_a_day_of_two_tables_is_one_day(tmp_path):
    recording(tmp_path)
    for seq, table in enumerate(("level1", "midpoints"), 1):
        row = tick(seq) if table == "level1" else {"ts_recv": tick(1)["ts_recv"], "seq": seq, "symbol": "A"}
        put(tmp_path, table, [row], DAY)
    assert retain(tmp_path, "--delete")[-1].startswith("deleted 2 files of 1 day, ")
