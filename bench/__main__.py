"""`python -m bench [--quick] [--minutes M] [--json FILE] [--nautilus PYTHON]`: every figure, one table."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench import figures, report, rival
from bench.market import pool
from bench.processes import FailedRunError
from bench.report import Row
from bench.scale import FULL, QUICK, Scale


def main() -> int:
    options = _options()
    scale = QUICK if options.quick else FULL
    seconds = options.minutes * 60 if options.minutes else scale.steady_seconds
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        try:
            for row in _figures(Path(name) / "market.npz", scale, seconds, options.nautilus):
                report.progress(f"{row.measure} {row.text}")
                rows.append(replace(row, goal=None) if options.quick else row)
        except FailedRunError as failure:
            sys.stderr.write(f"{failure}\n")
            return 1
    report.show(rows)
    if options.json:
        report.save(rows, options.json)
    return 0


def _figures(market: Path, scale: Scale, seconds: float, nautilus: str | None) -> Iterator[Row]:
    pool(scale.unique).save(market)
    yield from figures.processor(market, scale)
    yield from figures.loop_and_memory(market, seconds)
    yield from figures.disk(market, scale)
    yield from figures.recovered(market, scale)
    yield from figures.compacted(market, scale)
    yield from figures.obvious(market, scale)
    yield from figures.nautilus(nautilus, scale)
    yield from figures.killed(market, scale, nautilus)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test of a minute, too short to judge by"
    )
    parser.add_argument("--minutes", type=float, help="length of the run that lateness and memory come from")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    parser.add_argument(
        "--nautilus", default=rival.here(), metavar="PYTHON", help="a Python with nautilus_trader"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
