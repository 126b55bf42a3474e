"""Ask the gateway about every line without recording anything: ``ib-recorder check --connect``."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from recorder.capture.gateway import ConnectError, Gateway
from recorder.capture.lookups import LookupFailedError, Lookups
from recorder.config import Config
from recorder.session import contracts
from recorder.session.watchlist import Entry, UnfitError, Watchlist
from recorder.wire import codes
from recorder.wire.sieve import Sieve


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway says of one line: a contract, or why there is none."""

    name: str
    con_id: int | None
    exchange: str | None
    description: str | None
    problem: str | None


async def survey(config: Config) -> list[Answer]:
    """Qualify every line; one answer a line, in watchlist order.

    A running recorder keeps its client id: the spare ids are tried first, the last one before the others.

    Raises:
        ConnectError: no connection.
    """
    settings = config.gateway
    for client_id in reversed((settings.client_id, *settings.spare_client_ids)):
        visit = _Visit(config)
        try:
            return await visit.ask(client_id)
        except ConnectError as error:
            if error.code != codes.CLIENT_ID_IN_USE or client_id == settings.client_id:
                raise
    raise AssertionError  # the configured id is the last one tried, and raises


class _Visit:
    """One connection that only asks; it is its gateway's listener."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._watchlist = Watchlist(config)
        self._sieve = Sieve()
        self._gateway = Gateway(self)
        self._lookups: Lookups | None = None
        self._failure: Exception | None = None

    async def ask(self, client_id: int) -> list[Answer]:
        settings = self._config.gateway
        timeout = settings.connect_timeout_seconds
        version = await self._gateway.connect(settings.host, settings.port, client_id, timeout)
        lookups = self._lookups = Lookups(self._gateway, version, timeout)
        try:
            answers = await asyncio.gather(
                *(self._ask_one(entry, lookups) for entry in self._watchlist.entries)
            )
        finally:
            self._gateway.drop("asked everything")
        if self._failure is not None:
            raise self._failure
        return answers

    async def _ask_one(self, entry: Entry, lookups: Lookups) -> Answer:
        try:
            self._watchlist.resolve(
                entry, await lookups.ask(contracts.question(entry.line), entry.name, None)
            )
        except (LookupFailedError, UnfitError, ConnectionError) as error:
            return Answer(entry.name, None, None, None, str(error))
        assert entry.details is not None
        exchange = contracts.contract(entry.details, entry.line)["exchange"]
        return Answer(entry.name, entry.con_id, exchange, contracts.candidate(entry.details), None)

    def received(self, data: bytes) -> Iterable[bytes]:
        sifted = self._sieve.feed(data)
        return [frame for frame in sifted.handed_on if self._lookups is None or not self._lookups.take(frame)]

    def said(self, req: int, code: int, text: str) -> None:
        if self._lookups is not None:
            self._lookups.said(req, code, text)

    def closed(self, reason: str) -> None:
        if self._lookups is not None:
            self._lookups.close(reason)

    def failed(self, error: Exception) -> None:
        self._failure = error
        self._gateway.drop("failed")
