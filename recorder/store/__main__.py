"""``python -m recorder.store ROOT [--retain-days N] [--archive-days M]``: what is done every night.

Prints one JSON line a table and day; what failed is one line on standard error and exit 1, the other days are done.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recorder.journal.folder import NotARecordingError
from recorder.journal.lock import RootInUseError
from recorder.store import Compacted, Gone, Left, Limits, be_modest, compact, retain

_NICENESS = 10


def main() -> int:
    """Compact, then let go of what is old, and say what became of each day."""
    options = _options()
    os.nice(_NICENESS)
    be_modest()
    failed = False
    try:
        for done in _nightly(options):
            if isinstance(done, str):
                failed = True
                sys.stderr.write(f"{done}\n")
            else:
                sys.stdout.write(json.dumps(_line(done)) + "\n")
                sys.stdout.flush()
    except (OSError, NotARecordingError, RootInUseError) as error:
        failed = True
        sys.stderr.write(f"{error}\n")
    return 1 if failed else 0


def _nightly(options: argparse.Namespace) -> Iterator[Compacted | Left | Gone | str]:
    """What became of each day; a text is what failed."""
    found = retain(options.root, options.retain_days, options.archive_days)  # first what makes room
    yield from found.gone
    if found.uncounted:
        yield f"no old day of ticks was deleted: {found.uncounted}"
    for done in compact(options.root, limits=Limits(linger=options.linger)):
        if not isinstance(done, Left) or done.kind == "cannot":
            yield done
        elif done.kind == "failed":
            yield f"{done.table} {done.day}: {done.reason}"


def _line(done: Compacted | Left | Gone) -> dict[str, Any]:
    line: dict[str, Any] = {"table": done.table, "day": done.day.isoformat()}
    match done:
        case Compacted():
            line |= {"rows": done.rows, "files_before": done.files_before, "files": done.files_after}
            line |= {"bytes_before": done.bytes_before, "bytes": done.bytes_after}
            line |= {"seconds": round(done.seconds, 3)}
        case Left():
            line |= {"left": done.reason}
        case Gone():
            line |= {"deleted": len(done.files), "bytes": done.bytes}
            line |= {"foreign": list(done.foreign)} if done.foreign else {}
    return line


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m recorder.store", description=__doc__)
    parser.add_argument("root", type=Path, metavar="ROOT")
    parser.add_argument("--retain-days", type=int, metavar="N")
    parser.add_argument("--archive-days", type=int, metavar="M")
    parser.add_argument("--linger", type=float, metavar="SECONDS", default=Limits().linger)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
