"""systemd's readiness protocol (sd_notify): one datagram a message, nothing when not started by systemd.

Rule: recording waits for nobody. A systemd that does not listen is told again at the next sign of life.
"""

import os
import socket

import structlog

log = structlog.get_logger("recorder")


def notify(message: str) -> None:
    """Send ``READY=1``, ``WATCHDOG=1``, ``STATUS=...``; several are separated by newlines."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # An abstract socket's name begins with a NUL byte, which the environment writes as @.
    path = f"\0{address[1:]}" if address.startswith("@") else address
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    try:
        with socket.socket(socket.AF_UNIX, kind) as link:
            link.sendto(message.encode(), path)
    except OSError as error:
        log.warning("systemd does not hear the recorder", socket=address, reason=error.strerror)


def watchdog_seconds() -> float | None:
    """How often systemd expects a sign of life, or None."""
    micros = os.environ.get("WATCHDOG_USEC")
    return int(micros) / 1e6 if micros else None
