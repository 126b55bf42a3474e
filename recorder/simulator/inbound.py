"""A client's bytes, taken apart: the hello first, then frames.

Rules:
- No I/O: bytes in, hellos and frames out, in any slices the socket likes.
- Whatever is not the protocol is a ProtocolError, and the connection ends: a gateway does not argue.
"""

import re
from dataclasses import dataclass, field

from recorder.wire.layouts import SERVER_VERSION

MIN_VERSION = 157
"""Oldest protocol spoken; a client that knows nothing newer is shown the door."""
MAX_REQUEST = 1 << 20
"""Longest believable request in bytes, well above the longest IB's clients make."""
MAX_HELLO = 256

_HELLO = re.compile(rb"v(\d{1,5})\.\.(\d{1,5})(?: (.*))?\0?", re.DOTALL)


class ProtocolError(ValueError):
    """Bytes that are not the protocol."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The client's greeting: the version agreed on and its connect options."""

    version: int
    options: str


@dataclass(slots=True)
class Inbound:
    """What has come in and is not yet taken apart."""

    _buffer: bytearray = field(default_factory=bytearray)
    _greeted: bool = False

    def feed(self, data: bytes) -> list[Hello | list[str]]:
        """Everything that is whole by now: the hello, and frames as lists of fields.

        Raises:
            ProtocolError: no hello, a version out of range, an unbelievable length.
        """
        self._buffer += data
        whole: list[Hello | list[str]] = []
        if not self._greeted:
            hello = self._hello()
            if not hello:
                return whole
            whole.append(hello)
        while (body := self._body(4, MAX_REQUEST)) is not None:
            whole.append(_fields(body))
        return whole

    def _hello(self) -> Hello | None:
        prefix = bytes(self._buffer[:4])
        if not b"API\0".startswith(prefix):
            raise ProtocolError(f"not an API client: begins with {prefix!r}")
        body = self._body(8, MAX_HELLO)
        if body is None:
            return None
        self._greeted = True
        return _agree(body)

    def _body(self, start: int, limit: int) -> bytes | None:
        """The next body, its length in the four bytes before ``start``; None until it is whole."""
        if len(self._buffer) < start:
            return None
        length = int.from_bytes(self._buffer[start - 4 : start], "big")
        if not 0 < length <= limit:
            raise ProtocolError(f"a length of {length} bytes")
        if len(self._buffer) < start + length:
            return None
        body = bytes(self._buffer[start : start + length])
        del self._buffer[: start + length]
        return body


def _agree(body: bytes) -> Hello:
    match = _HELLO.fullmatch(body)
    if not match:
        raise ProtocolError(f"no versions in the hello: {body!r}")
    oldest, newest = int(match[1]), int(match[2])
    if newest < MIN_VERSION or oldest > SERVER_VERSION:
        raise ProtocolError(f"the client speaks {oldest} to {newest}, not {MIN_VERSION} to {SERVER_VERSION}")
    return Hello(min(newest, SERVER_VERSION), (match[3] or b"").decode("latin-1"))


def _fields(body: bytes) -> list[str]:
    return body.decode("utf-8", "replace").split("\0")[:-1]
