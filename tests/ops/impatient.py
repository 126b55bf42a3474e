"""The recorder as a process whose status page loses its patience in seconds: ``python impatient.py CONFIG``."""

import sys
from pathlib import Path

from recorder.daemon import health, logs, status
from recorder.daemon.run import run

PATIENCE_SECONDS = AGAIN_SECONDS = 1.0

if __name__ == "__main__":
    health.PATIENCE_SECONDS = PATIENCE_SECONDS
    status.AGAIN_SECONDS = AGAIN_SECONDS
    logs.configure()
    run(Path(sys.argv[1]))
