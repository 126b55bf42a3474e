"""Historical ticks: what a tick-by-tick stream would have brought, asked for afterwards.

Rules:
- Decoding is pure. A historical tick becomes the fields that message 99 would have had, so that it is read, rendered
  and compared as a live one is.
- Every question is answered, by the gateway or by the timeout: error 321 and a silent history farm end nothing else.
- Questions are not on record as asked: an error about one is a notice, and no refusal of a stream.

Source of the layouts: messages 96, 97 and 98 of IB's gateways at server versions 157 to 178.
"""

import asyncio
import math
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from recorder.capture.gateway import Gateway
from recorder.wire.layouts import TICKS, Field

Values: TypeAlias = tuple[int | float | str | None, ...]
"""A tick as its table has it, second first, in the order of message 99; what tells two ticks apart."""

_HISTORY: dict[bytes, tuple[str, tuple[str, ...]]] = {
    b"96": ("midpoints", ("ts_event", "", "price", "")),
    b"97": ("quotes", ("ts_event", "attribs", "bid", "ask", "bid_size", "ask_size")),
    b"98": ("trades", ("ts_event", "attribs", "price", "size", "exchange", "conditions")),
}
"""Message id to its stream and the fields of one tick."""

_IDENTICAL, _SHORT, _LONG = 15.5, 2.5, 610.0
"""IB's windows, and a little more: its clock starts when the request arrives."""

_MOST_ALIKE, _MOST = 5, 60

_SWAPPED = {"1": "2", "2": "1"}
"""The mask of 97 has the bits of 99 exchanged: 1 ask past high, 2 bid past low."""

_INTEGER, _DECIMAL = re.compile(r"[0-9]{1,10}"), re.compile(r"[-+0-9.eE]{1,40}")
_NUMBERS: dict[str, tuple[re.Pattern[str], type[int] | type[float]]] = {
    "int": (_INTEGER, int), "float": (_DECIMAL, float), "size": (_DECIMAL, float),
}  # fmt: skip
"""What numbers are written with; Python alone would take blanks, underscores and the digits of other scripts too."""

_QUERY_FAILED, _NO_DATA = 162, "query returned no data"


class HistoryError(Exception):
    """The gateway answered with an error, with what does not read, or not at all (then ``code`` is None)."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Tick:
    """One historical tick.

    Attributes:
        texts: its fields as message 99 would have brought them, from the time on.
        values: the same as its table has them.
    """

    texts: tuple[str, ...]
    values: Values

    @property
    def second(self) -> int:
        """When it was, seconds since 1970."""
        return int(self.values[0] or 0)


def decoded(frame: bytes) -> tuple[list[Tick], bool]:
    """The ticks of a message 96, 97 or 98, and whether they are the last of their answer.

    Raises:
        ValueError: the message does not have IB's layout.
    """
    stream, names = _HISTORY[_message_id(frame)]
    _req, count, *texts, done = frame[4:].decode().split("\0")[1:-1]
    if len(texts) != int(count) * len(names):
        raise ValueError(f"{len(texts)} fields where {count} ticks of {len(names)} were announced")
    starts = range(0, len(texts), len(names))
    told = (dict(zip(names, texts[at : at + len(names)], strict=True)) for at in starts)
    return [_tick(one, stream) for one in told], done != "0"


def _tick(told: dict[str, str], stream: str) -> Tick:
    if stream == "quotes":
        told["attribs"] = _SWAPPED.get(told["attribs"], told["attribs"])
    texts = tuple(told[one.name] for one in TICKS[stream])
    return Tick(texts, tuple(_value(text, one) for text, one in zip(texts, TICKS[stream], strict=True)))


def _value(text: str, one: Field) -> int | float | str | None:
    if one.kind == "text" or (not text and one.name != "ts_event"):
        return text or None
    pattern, kind = _NUMBERS[one.kind]
    value = kind(text) if pattern.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]!r} is no {one.name}")
    return value


def _message_id(frame: bytes) -> bytes:
    return frame[4:7].split(b"\0", 1)[0]


class History:
    """The questions for historical ticks of one connection."""

    def __init__(self, gateway: Gateway, timeout: float) -> None:
        self._gateway = gateway
        self._timeout = timeout
        self._found: dict[int, list[Tick]] = {}
        self._ended: dict[int, asyncio.Future[None]] = {}

    async def ask(self, contract: dict[str, Any], start_second: int, stream: str) -> list[Tick]:
        """The ticks of a stream from a second on, as many as IB gives at once; none: there are none up to now.

        Raises:
            HistoryError: an error, or no answer in time.
            ConnectionError: the connection ended.
        """
        req = self._gateway.new_request()
        self._found[req] = []
        ended = self._ended[req] = asyncio.get_running_loop().create_future()
        try:
            self._gateway.ask_history(req, contract, start_second, stream)
            await asyncio.wait_for(ended, self._timeout)
            return self._found[req]
        except TimeoutError:
            raise HistoryError(f"the gateway did not answer within {self._timeout:g} s") from None
        finally:
            del self._found[req], self._ended[req]

    def take(self, frame: bytes) -> bool:
        """Whether the frame is historical ticks; it is then dealt with."""
        if _message_id(frame) not in _HISTORY:
            return False
        req = _integer(frame[4:].split(b"\0", 2)[1:2])
        if req not in self._ended:
            return True
        try:
            ticks, is_last = decoded(frame)
        except ValueError as error:
            self._answer(req, HistoryError(f"historical ticks that do not read: {error}"))
            return True
        self._found[req] += ticks
        if is_last:
            self._answer(req, None)
        return True

    def said(self, req: int, code: int, text: str) -> None:
        """An error may be the answer to a question; that there is no data is one without ticks."""
        is_empty = code == _QUERY_FAILED and _NO_DATA in text
        self._answer(req, None if is_empty else HistoryError(text, code))

    def close(self, reason: str) -> None:
        """The connection ended: nothing more will be answered."""
        for req in list(self._ended):
            self._answer(req, ConnectionError(reason))

    def _answer(self, req: int, error: Exception | None) -> None:
        ended = self._ended.get(req)
        if ended is None or ended.done():
            return
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)


def _integer(texts: list[bytes]) -> int:
    return int(texts[0]) if texts and re.fullmatch(rb"[0-9]{1,10}", texts[0]) else -1


@dataclass(slots=True)
class Pacing:
    """When IB may be asked for historical ticks; moments are seconds of any steady clock.

    No identical request within 15 s, fewer than 6 of one contract, exchange and type within 2 s, 60 in 10 minutes;
    BID_ASK counts twice (TWS API guide, "Historical Data Limitations").
    """

    _asked: deque[tuple[float, tuple[Any, ...], int]] = field(default_factory=deque)

    def wait(self, now: float, alike: tuple[Any, ...], second: int) -> float:
        """Seconds until ``alike`` (contract id, exchange, stream) may be asked for from ``second`` on."""
        while self._asked and self._asked[0][0] + _LONG <= now:
            self._asked.popleft()
        weight = _weight(alike)
        free = [now]
        free += [at + _IDENTICAL for at, one, begun in self._asked if (one, begun) == (alike, second)]
        burst, most = [at for at, one, _ in self._asked if one == alike], _MOST_ALIKE // weight
        free += [burst[-most] + _SHORT] if len(burst) >= most else []
        counted = [at for at, one, _ in self._asked for _ in range(_weight(one))]
        over = len(counted) + weight - _MOST
        free += [counted[over - 1] + _LONG] if over > 0 else []
        return max(free) - now

    def asked(self, now: float, alike: tuple[Any, ...], second: int) -> None:
        """It has been asked for."""
        self._asked.append((now, alike, second))


def _weight(alike: tuple[Any, ...]) -> int:
    return 2 if alike[-1] == "quotes" else 1
