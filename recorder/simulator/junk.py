"""Frames no gateway should send, and some have: what a client must survive.

Rules:
- Pure: a request id in, bytes out. All but the last kind leave the stream in step.
"""

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from recorder.simulator.frames import UNSET_DOUBLE, UNSET_INT
from recorder.wire.layouts import frame

Kind: TypeAlias = Literal[
    "all", "short", "long", "unknown_id", "unknown_tick_type", "no_number", "nan", "unset", "not_utf8",
    "no_terminator", "no_id", "unknown_request",
]  # fmt: skip
"""What a script may ask for: one defect, or all of them."""


def _raw(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


KINDS: Final[dict[str, Callable[[int], bytes]]] = {
    "short": lambda req: frame("1", "6", str(req), "1"),
    "long": lambda req: frame("1", "6", str(req), "1", "10.0", "100", "1", "surplus", "surplus"),
    "unknown_id": lambda req: frame("250", "1", str(req), "what", "is", "this"),
    "unknown_tick_type": lambda req: frame("2", "6", str(req), "210", "5"),
    "no_number": lambda req: frame("1", "6", str(req), "1", "ten", "100", "1"),
    "nan": lambda req: frame("1", "6", str(req), "1", "NaN", "NaN", "0"),
    "unset": lambda req: frame("1", "6", str(req), "1", UNSET_DOUBLE, UNSET_INT, "0"),
    "not_utf8": lambda req: _raw(f"46\x006\x00{req}\x0084\x00".encode() + b"\xff\xfe\xc3\x28\0"),
    "no_terminator": lambda req: _raw(f"2\x006\x00{req}\x000\x00100".encode()),
    "no_id": lambda _: _raw(b"\0\0\0"),
    "unknown_request": lambda _: frame("1", "6", "987654", "1", "10.0", "100", "1"),
}
"""Name of the defect, and the frame that has it."""

HUGE_LENGTH: Final = b"\x7f\xff\xff\xff" + b"1\x006\x00"
"""The announcement of a frame that never comes; the stream makes no sense from there on."""
