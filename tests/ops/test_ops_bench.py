"""The benchmark of a steady flow runs: a figure that cannot be measured any more must not go unnoticed."""

import json
import subprocess
import sys
from pathlib import Path

MEASURE = """
import dataclasses, json, pathlib, sys
from bench import steady
from bench.market import pool
market = pathlib.Path(sys.argv[1]) / "market.npz"
pool(20_000).save(market)
print(json.dumps(dataclasses.asdict(steady.measure(market, 2))))
"""


def test_a_steady_flow_is_recorded_whole_and_measured(tmp_path):
    command = [sys.executable, "-c", MEASURE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["seconds"] >= 1.9
    assert found["peak"] > 10
    assert found["on_disk"] > 1
    assert found["loop"]["p50"] <= found["loop"]["p99"] <= found["loop"]["worst"]
