"""Small file systems for tests: whether they can be had here."""

import shutil
import subprocess

import pytest


def may_mount() -> bool:
    """Whether a file system can be mounted here, in a namespace of its own."""
    command = ("unshare", "-m", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt")
    return (
        bool(shutil.which("unshare"))
        and not subprocess.run(command, check=False, capture_output=True).returncode
    )


needs_mount = pytest.mark.skipif(not may_mount(), reason="no file system can be mounted here (needs root)")
