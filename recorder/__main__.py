"""``python -m recorder``: the command ``ib-recorder``."""

from recorder.cli import main

main()
