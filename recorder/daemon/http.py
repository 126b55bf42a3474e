"""The least of an HTTP server: GET, one request a connection, on the loop that records.

Rules:
- Nobody is waited for: no tasks, no reads, one timer a connection, after which it is cut off.
- Everything is bounded: ``MOST_CONNECTIONS``, ``MOST_BYTES`` of a request, ``MOST_SECONDS`` from first to last byte.
- When all places are taken the oldest is cut off: who only holds one keeps nobody out.
- Whatever a client sends or leaves out costs that client its connection, and nobody anything else.
- A request is exactly what RFC 9112 says, or it is refused.

Its own, because it is small: a library's parser costs more memory, and brings what must then be switched off.
"""

import asyncio
import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

import structlog

MOST_CONNECTIONS = 32
"""Some times as many as come in at once: who has just come is not the oldest before anybody has heard what he asks."""

MOST_BYTES = 8192
MOST_SECONDS = 5.0

_REQUEST = re.compile(
    rb"([A-Z]+) (/[!-~]*) HTTP/1\.[01]\r\n((?:[!#-'*+.^-z|~\w-]+:[^\r\n\0]*\r\n)*)\r\n", re.ASCII
)

_FIXED = (
    "Connection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nReferrer-Policy: no-referrer\r\n"
)

log = structlog.get_logger("recorder.status")


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered: an HTTP status, a media type and the bytes."""

    status: int
    type: str
    body: bytes


Answer = Callable[[str], Response | None]
"""From a path to what is there; None: nothing is."""


class RefusedError(Exception):
    """A request that is not answered; ``status`` is HTTP's, the message says why."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


def path(head: bytes, own: str | None) -> str:
    """The path that a request asks for, without its query.

    Args:
        head: the request up to and with the empty line.
        own: the one name, besides localhost and addresses, that it may be asked for by; None: any. A page of the
            wide web can give its own name the address 127.0.0.1 and read along (DNS rebinding); this one it cannot.

    Raises:
        RefusedError: it is no such request as is answered here.
    """
    match = _REQUEST.fullmatch(head)
    if match is None:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "that is no HTTP request")
    if match[1] != b"GET":
        raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "there is nothing to do here but GET")
    if own is not None and not all(_is_ours(host, own) for host in _hosts(match[3])):
        raise RefusedError(HTTPStatus.MISDIRECTED_REQUEST, "ask by address, or as localhost")
    return match[2].decode().partition("?")[0]


def _hosts(fields: bytes) -> Iterator[str]:
    """What the header says it is asked for by, without the port; no regex, for blanks make those quadratic."""
    for line in fields.splitlines():
        name, _, value = line.decode(errors="replace").partition(":")
        if name.lower() == "host":
            host, _, port = value.strip().rpartition(":")
            yield host if port == "" or port.isdecimal() else value.strip()


def _is_ours(host: str, own: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.lower() in ("localhost", own.lower())
    return True


class Server:
    """Serves ``answer`` on connections that somebody else listens for; ``own``: see ``path``.

    Attributes:
        open: the connections there are, the oldest first.
    """

    def __init__(self, answer: Answer, own: str | None) -> None:
        self.open: dict[asyncio.Transport, None] = {}
        self._answer = answer
        self._own = own

    def connection(self) -> asyncio.Protocol:
        """A protocol for one connection."""
        return _Connection(self)

    def respond(self, head: bytes) -> Response:
        """Whatever happens, there is an answer."""
        try:
            found = self._answer(path(head, self._own))
        except RefusedError as error:
            return refusal(error.status, str(error))
        except Exception as error:  # the recording goes on, whatever is wrong with its page
            log.exception("the status page failed; recording goes on", reason=str(error))
            return refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "it failed; the log says why")
        return found or refusal(HTTPStatus.NOT_FOUND, "there are /, /metrics, /healthz and /status.json")

    def cut_off_oldest(self) -> None:
        """Make a place: who asks is answered at once, so the oldest is one who says nothing, or does not read."""
        oldest = next(iter(self.open))
        del self.open[oldest]
        oldest.abort()

    def close(self) -> None:
        """Cut everybody off."""
        for transport in list(self.open):
            transport.abort()


class _Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._head = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if len(self._server.open) >= MOST_CONNECTIONS:
            self._server.cut_off_oldest()
        self._server.open[transport] = None
        self._transport = transport
        self._timer = asyncio.get_running_loop().call_later(MOST_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        self._head += data
        if len(self._head) > MOST_BYTES:
            self._send(refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "a request is shorter here"))
        elif (end := self._head.find(b"\r\n\r\n")) >= 0:
            self._send(self._server.respond(bytes(self._head[: end + 4])))

    def connection_lost(self, _: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._server.open.pop(self._transport, None)

    def _send(self, response: Response) -> None:
        """The timer goes on: who does not read is cut off too."""
        assert self._transport is not None
        self._transport.write(encoded(response))
        self._transport.close()


def refusal(status: HTTPStatus, words: str) -> Response:
    """An answer that says what is wrong."""
    return Response(status, "text/plain; charset=utf-8", f"{words}\n".encode())


def encoded(response: Response) -> bytes:
    """The bytes of an answer."""
    status = HTTPStatus(response.status)
    allow = "Allow: GET\r\n" if status is HTTPStatus.METHOD_NOT_ALLOWED else ""
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {response.type}\r\n{allow}{_FIXED}"
    return f"{head}Content-Length: {len(response.body)}\r\n\r\n".encode() + response.body
