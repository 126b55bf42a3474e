"""Contract lookups: one question, all its answers, in bounded time."""

import asyncio
from collections.abc import Mapping
from typing import Any

from recorder.capture.gateway import Gateway
from recorder.journal.writer import Journal
from recorder.session import contracts
from recorder.session.contracts import Details
from recorder.wire.messages import BOND_CONTRACT, CONTRACT, CONTRACT_END

_END = str(CONTRACT_END).encode()
_OWN = {str(CONTRACT).encode(), str(BOND_CONTRACT).encode(), _END}


class LookupFailedError(Exception):
    """The gateway answered a lookup with an error, or not at all (then ``code`` is None)."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.code = code


class Lookups:
    """The lookups of one connection."""

    def __init__(self, gateway: Gateway, server_version: int, timeout: float) -> None:
        self._gateway = gateway
        self._version = server_version
        self._timeout = timeout
        self._found: dict[int, list[Details]] = {}
        self._ended: dict[int, asyncio.Future[None]] = {}

    async def ask(self, question: Mapping[str, Any], symbol: str, journal: Journal | None) -> list[Details]:
        """All contracts that fit; one an exchange is one.

        Raises:
            LookupFailedError: an error, or no answer in time.
            ConnectionError: the connection ended.
        """
        req = self._gateway.new_request()
        if journal is not None:
            journal.control({"kind": "asked", "req": req, "symbol": symbol}, row=False)
        self._found[req] = []
        ended = self._ended[req] = asyncio.get_running_loop().create_future()
        try:
            self._gateway.ask_contract(req, question)
            await asyncio.wait_for(ended, self._timeout)
            return list({found["con_id"]: found for found in reversed(self._found[req])}.values())[::-1]
        except TimeoutError:
            raise LookupFailedError(f"the gateway did not answer within {self._timeout:g} s") from None
        finally:
            del self._found[req], self._ended[req]

    def take(self, frame: bytes) -> bool:
        """Whether the frame belongs to a lookup; it is then dealt with."""
        msg_id = frame[4:].split(b"\0", 1)[0]
        if msg_id not in _OWN:
            return False
        try:
            if msg_id == _END:
                self._answer(contracts.end_of_details(frame), None)
            else:
                req, found = contracts.details(frame, self._version)
                self._found.get(req, []).append(found)
        except contracts.DetailsError as error:
            if error.req is not None:
                self._answer(error.req, LookupFailedError(str(error)))
        return True

    def said(self, req: int, code: int, text: str) -> None:
        """An error may be a lookup's answer."""
        self._answer(req, LookupFailedError(text, code))

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
