"""Which messages become rows, and which concern the conversation with the gateway.

Rules:
- Whether a frame becomes a row follows from its id alone, so that it can be numbered before it is understood.
- An id that IB never documented becomes a row: better one row too many in ``other`` than a message lost.
"""

import numpy as np
import numpy.typing as npt

from recorder.wire.frames import Bounds, Positions
from recorder.wire.layouts import LAYOUTS

ERROR = 4
CONTRACT, BOND_CONTRACT, CONTRACT_END = 10, 18, 52
TICK_BY_TICK = 99
REROUTES = frozenset({91, 92})

CONVERSATION = frozenset(
    {3, 5, 6, 7, 8, 9, 10, 11, 14, 15, 16, 17, 18, 19, 20, 49, 52, 53, 54, 55, 59}
    | set(range(61, 81))
    | {82, 83, 85, 86, 87, 88, 89, 90, 93, 94, 95, 96, 97, 98}
    | set(range(100, 112))
)
"""Answers to requests, accounts, orders: handed to ib_async, never a row (ids of IB's client 10.51)."""

HANDED_ON = CONVERSATION | {ERROR} | REROUTES
"""What the recorder itself must see: the conversation, errors (also rows) and reroutes (also rows)."""

DECODED = frozenset(layout.msg_id for layout in LAYOUTS) | {ERROR}

NO_ID = 1023
"""Stands for an id that is not one to three digits."""

_POWERS = 1024
_ROW = np.array([msg_id not in CONVERSATION for msg_id in range(_POWERS)])
_ON = np.array([msg_id in HANDED_ON for msg_id in range(_POWERS)])


def ids(data: bytes, bounds: Bounds) -> Positions:
    """Message id of each frame; ``NO_ID`` for what is none: one to three digits and a NUL within the frame."""
    if not len(bounds.starts):
        return np.empty(0, np.int64)
    raw = np.frombuffer(data, np.uint8)
    last = len(raw) - 1
    heads = [raw[np.minimum(bounds.starts + place, last)] for place in range(4)]
    length = bounds.ends - bounds.starts
    ended = [(head == 0) & (length > place) for place, head in enumerate(heads)]
    digits = [head - np.uint8(ord("0")) for head in heads[:3]]
    is_digit = [digit <= 9 for digit in digits]
    a, b, c = (digit.astype(np.int16) for digit in digits)
    one = is_digit[0] & ended[1]
    two = is_digit[0] & is_digit[1] & ended[2]
    three = is_digit[0] & is_digit[1] & is_digit[2] & ended[3]
    value = np.where(one, a, np.where(two, a * 10 + b, a * 100 + b * 10 + c))
    return np.where((one | two | three) & (a != 0), value, NO_ID)


def hello_frames(data: bytes, bounds: Bounds) -> tuple[int, bool]:
    """How many leading frames belong to the handshake, and whether the gateway's hello is among them.

    The hello is the first frame of two fields (version and time); until it, nothing is a row (IB's own client
    skips what comes before it too).
    """
    for index, (start, end) in enumerate(zip(bounds.starts, bounds.ends, strict=True)):
        if data.count(b"\0", start, end) == 2:
            return index + 1, True
    return len(bounds.starts), False


def is_row(msg_ids: Positions) -> npt.NDArray[np.bool_]:
    """Which frames become a row."""
    return _ROW[msg_ids]


def is_handed_on(msg_ids: Positions) -> npt.NDArray[np.bool_]:
    """Which frames the recorder itself must see."""
    return _ON[msg_ids]
