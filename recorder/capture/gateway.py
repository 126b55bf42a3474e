"""The one place that knows ib_async: a connection to TWS or IB Gateway, tapped at the socket.

Rules:
- The raw bytes of every read go to ``Listener.received`` before ib_async sees any of them; what that returns, and
  nothing else, is handed on to ib_async. Market data therefore never reaches ib_async's decoder.
- One object a connection: nothing of an old connection can leak into a new one.
- Never an order, nor a question about the account.

What this leans on in ib_async 2.1, pinned by a test: ``client.conn.hasData`` hands over each read as bytes;
``client._onSocketHasData`` takes whole frames; ``client.connectAsync`` connects without asking for account data.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from ib_async import IB, Contract

from recorder.session.watchlist import Subscription
from recorder.wire import codes
from recorder.wire.layouts import SERVER_VERSION

DATA_TYPE_NUMBERS = {"live": 1, "frozen": 2, "delayed": 3, "delayed_frozen": 4}
TICK_BY_TICK_NAMES = {"quotes": "BidAsk", "midpoints": "MidPoint"}
HISTORY_NAMES = {"trades": "TRADES", "quotes": "BID_ASK", "midpoints": "MIDPOINT"}
HISTORY_TICKS = 1000
"""Ticks that one request may ask for; the second begun within them comes whole."""
_BAR_SECONDS = 5
_HIGHEST_CODE = 2**31 - 1


class ConnectError(ConnectionError):
    """The gateway could not be connected to; the message says how, and what to look at.

    Attributes:
        code: IB's code, where the gateway said one.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class Listener(Protocol):
    """Who hears what the gateway says. Every method is called on the event loop."""

    def received(self, data: bytes) -> Iterable[bytes]:
        """Bytes of one read; returns the whole frames that ib_async shall see."""

    def said(self, req: int, code: int, text: str) -> None:
        """The gateway sent an error or a notice (message 4); ``req`` is -1 where it is about no request."""

    def closed(self, reason: str) -> None:
        """The connection is gone."""

    def failed(self, error: Exception) -> None:
        """Handling what the gateway sent failed: recording cannot be trusted any further."""


class Gateway:
    """One connection."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._ib = IB()
        self._client = self._ib.client
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._in_use = False
        self._frames = 0
        self._complaint = ""
        # ib_async holds bound methods weakly and swallows what handlers raise: so the handlers are
        # guarded, and kept here.
        handlers = (self._on_data, self._on_error, self._on_closed, self._on_api_error)
        self._handlers = [self._guard(handler) for handler in handlers]
        on_data, on_error, on_closed, on_api_error = self._handlers
        self._client.conn.hasData.clear()
        self._ib.errorEvent.clear()  # behind 1102 ib_async would ask for the account's balances
        self._client.conn.hasData += on_data
        self._client.conn.disconnected += on_closed
        self._ib.errorEvent += on_error
        self._client.apiError += on_api_error

    async def connect(self, host: str, port: int, client_id: int, patience: float) -> int:
        """Connect, waiting at most ``patience`` seconds for each answer; returns the server's protocol version.

        Raises:
            ConnectError: with the reason in words; the socket is closed by then.
        """
        connecting = asyncio.ensure_future(self._client.connectAsync(host, port, client_id, patience))
        try:
            await asyncio.wait({connecting, self._lost}, return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                connecting.cancel()
                await asyncio.wait({connecting})
            error = None if not connecting.cancelled() and connecting.exception() is None else True
        except asyncio.CancelledError:
            connecting.cancel()
            self.drop("cancelled")
            raise
        if error or self._lost.done() or not self.connected:
            reason = self._why(connecting, f"{host}:{port}", patience)
            self.drop(str(reason))
            raise reason
        version = int(self._client.serverVersion())
        if version > SERVER_VERSION:
            self.drop("unknown protocol version")
            raise ConnectError(
                f"the gateway answered protocol version {version}, {SERVER_VERSION} was asked for"
            )
        return version

    def _why(self, connecting: "asyncio.Future[None]", where: str, patience: float) -> ConnectError:
        if self._in_use:
            return ConnectError(
                "client id is in use by another program, or by an old session not yet torn down",
                codes.CLIENT_ID_IN_USE,
            )
        return ConnectError(self._reason(connecting, where, patience))

    def _reason(self, connecting: "asyncio.Future[None]", where: str, patience: float) -> str:
        if self._complaint:
            return f"{where} {self._complaint}"
        if connecting.cancelled():
            return f"{where} closed the connection at once (is this host a trusted IP of the API?)"
        error = connecting.exception()
        if error is None:
            return f"{where} closed the connection right after the log-in (is it restarting?)"
        if isinstance(error, ConnectionRefusedError):
            return f"nothing listens on {where} (is the gateway running, is its API port open?)"
        silent = isinstance(error, TimeoutError)
        return f"{where} {self._silence()} (waited {patience:g} s)" if silent else f"{where}: {error}"

    def _silence(self) -> str:
        if self._frames:
            more = "no accounts" if self._frames > 1 else "nothing more"
            return f"said hello and {more} (is it logged in?)"
        if self._client.conn.numBytesSent:
            return "accepted the connection and said no hello"
        return "did not accept the connection"

    @property
    def connected(self) -> bool:
        """Whether requests can be made."""
        return bool(self._client.isReady())

    def drop(self, reason: str) -> None:
        """Close the connection now, unsent requests and all."""
        transport = self._client.conn.transport
        if transport is not None:
            transport.abort()
        self._end(reason)

    def new_request(self) -> int:
        """A fresh request id."""
        return int(self._client.getReqId())

    def ask_time(self) -> None:
        """Ask for the gateway's time, to see whether it is there."""
        self._client.reqCurrentTime()

    def ask_data_type(self, name: str) -> None:
        """Say which kind of market data is wanted from here on."""
        self._client.reqMarketDataType(DATA_TYPE_NUMBERS[name])

    def ask_contract(self, req: int, contract: Mapping[str, Any]) -> None:
        """Ask for the details of a contract."""
        self._client.reqContractDetails(req, Contract(**contract))

    def ask_history(self, req: int, contract: dict[str, Any], start_second: int, stream: str) -> None:
        """Ask for what a tick-by-tick stream would have brought from a second (since 1970) on."""
        start = datetime.fromtimestamp(start_second, UTC).strftime("%Y%m%d %H:%M:%S UTC")
        self._client.reqHistoricalTicks(
            req, Contract(**contract), start, "", HISTORY_TICKS, HISTORY_NAMES[stream], False, False, []
        )

    def subscribe(self, req: int, wanted: Subscription) -> None:
        """Ask for a stream."""
        contract = Contract(**wanted.contract)
        match wanted.stream:
            case "level1":
                ticks = ",".join(str(tick) for tick in wanted.generic_ticks)
                self._client.reqMktData(req, contract, ticks, False, False, [])
            case "depth":
                self._client.reqMktDepth(req, contract, wanted.rows, wanted.smart, [])
            case "bars":
                self._client.reqRealTimeBars(
                    req, contract, _BAR_SECONDS, wanted.show, wanted.regular_hours, []
                )
            case _:
                last = "Last" if wanted.only_reportable else "AllLast"
                self._client.reqTickByTickData(
                    req, contract, TICK_BY_TICK_NAMES.get(wanted.stream, last), 0, False
                )

    def cancel(self, req: int, wanted: Subscription) -> None:
        """Take a subscription back."""
        match wanted.stream:
            case "level1":
                self._client.cancelMktData(req)
            case "depth":
                self._client.cancelMktDepth(req, wanted.smart)
            case "bars":
                self._client.cancelRealTimeBars(req)
            case _:
                self._client.cancelTickByTickData(req)

    def _guard(self, handler: Callable[..., None]) -> Callable[..., None]:
        def guarded(*args: object) -> None:
            try:
                handler(*args)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not vanish in ib_async
                self._listener.failed(error)

        return guarded

    def _on_data(self, data: bytes) -> None:
        if self._lost.done():
            return
        for frame in self._listener.received(data):
            self._frames += 1
            self._hand_on(frame)

    def _hand_on(self, frame: bytes) -> None:
        """ib_async takes the conversation apart; what it stumbles over is no gateway's, and no error of ours."""
        try:
            self._client._onSocketHasData(frame)  # noqa: SLF001 - the seam; see the module's docstring
        except Exception as error:  # noqa: BLE001 - it converts and unpacks whatever comes
            self._refuse(str(error))

    def _refuse(self, found: str) -> None:
        self._complaint = f"sent what no gateway sends ({found})"
        self.drop(self._complaint)

    def _on_error(self, req: int, code: int, text: str, _contract: object) -> None:
        if abs(code) > _HIGHEST_CODE:
            self._refuse(f"error code {code}")
            return
        if code == codes.CLIENT_ID_IN_USE:
            self._in_use = True
            self._end(text)
        self._listener.said(req, code, text)

    def _on_api_error(self, message: str) -> None:
        if "version must be" in message:
            self._complaint = f"speaks too old a protocol version: {message}"
            self.drop(self._complaint)

    def _on_closed(self, message: str) -> None:
        self._end(message or "the gateway closed the connection")

    def _end(self, reason: str) -> None:
        if not self._lost.done():
            self._lost.set_result(reason)
            self._listener.closed(reason)
