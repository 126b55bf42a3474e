"""``python -m recorder.render ROOT [BEFORE]``: the renderer as a process of its own, out of the recorder's way.

Prints one JSON line a segment; a failure is one line on standard error and exit 1, and the segments stay.
"""

import json
import os
import sys
from pathlib import Path

from recorder.journal.folder import NotARecordingError
from recorder.render.publish import PublishError
from recorder.render.recover import recover

_NICENESS = 10


def main(root: str, before: str | None = None) -> int:
    """Render and say what became of each segment."""
    os.nice(_NICENESS)
    try:
        for done in recover(Path(root), None if before is None else int(before)):
            line = {
                "segment": done.segment,
                "rows": done.rows,
                "bytes": done.bytes,
                "lost": done.lost,
                "files": len(done.files),
                "parquet_bytes": sum(file.bytes for file in done.files),
                "seconds": round(done.seconds, 3),
            }
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
    except (OSError, PublishError, NotARecordingError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
