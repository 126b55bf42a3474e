"""One recorder a root."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class RootInUseError(RuntimeError):
    """Another process records to, or recovers, this root."""


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold ``root`` for this process; the kernel lets go when the process ends, however it ends.

    Raises:
        RootInUseError: someone else holds it; the message says who.
    """
    path = root / "journal" / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            raise RootInUseError(f"{root}: in use by process {holder}; stop that one first") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
