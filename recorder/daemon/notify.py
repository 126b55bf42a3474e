"""systemd's readiness protocol (sd_notify): one datagram a message, nothing when not started by systemd."""

import os
import socket


def notify(message: str) -> None:
    """Send ``READY=1``, ``WATCHDOG=1``, ``STATUS=...``; several are separated by newlines."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # An abstract socket's name begins with a NUL byte, which the environment writes as @.
    path = f"\0{address[1:]}" if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
        link.sendto(message.encode(), path)


def watchdog_seconds() -> float | None:
    """How often systemd expects a sign of life, or None."""
    micros = os.environ.get("WATCHDOG_USEC")
    return int(micros) / 1e6 if micros else None
