"""SIGHUP: the config file is read again, and only what differs is touched.

Rules:
- The file is read and compared in a thread: a thousand lines take a second, and the socket waits for nobody.
- One at a time. A SIGHUP that comes meanwhile leads to one more, however many come: the last file counts.
- One that comes before recording begins is done as soon as it does; one that comes while stopping is not done.
- A file with an error changes nothing. The log has all that is wrong with it, ``events`` the first of it.
"""

import asyncio
import signal
from pathlib import Path

import structlog

from recorder.capture.ledger import Ledger
from recorder.capture.session import Session
from recorder.config import Config, ConfigError, load
from recorder.config.difference import Difference, difference, reloaded
from recorder.daemon.running import remember
from recorder.journal.syncer import JournalError

log = structlog.get_logger("recorder")


class Early:
    """Takes SIGHUP while the file may have been read and nobody listens yet, for ``Reloads.listen`` to ask about."""

    came = False

    def __call__(self, *_: object) -> None:
        """SIGHUP."""
        self.came = True


class Reloads:
    """Reads ``source`` again whenever asked; None: there is no file to read."""

    def __init__(self, config: Config, source: Path | None) -> None:
        self._config = config
        self._source = source
        self._asked = asyncio.Event()
        self._over = False

    def listen(self) -> None:
        """SIGHUP asks from now on; so does one that ``Early`` took."""
        loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGHUP)
        # The loop would hand SIGHUP back to the system as it closes: until then, and behind it, it ends nothing.
        signal.signal(signal.SIGHUP, lambda *_: loop.is_closed() or loop.call_soon_threadsafe(self.ask))
        if isinstance(before, Early) and before.came:
            self.ask()

    def ask(self) -> None:
        """SIGHUP."""
        if self._over:
            log.warning("not reloaded: stopping")
        elif self._source is None:
            log.warning("not reloaded: there is no file to read")
        else:
            self._asked.set()

    def end(self) -> None:
        """Nothing is reloaded any more, not even what is being read."""
        self._over = True
        self._asked.set()

    async def run(self, session: Session, ledger: Ledger) -> None:
        """Do what is asked until ``end``, behind which nothing is written any more but ``running.yaml``."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            if self._over or self._source is None:
                return
            try:
                await self._reload(self._source, session, ledger)
            except JournalError as error:
                session.failed(error)
            except Exception as error:  # recording must not end with a reload
                log.exception("not reloaded; recording goes on as before", problem=str(error))

    async def _reload(self, source: Path, session: Session, ledger: Ledger) -> None:
        try:
            wanted, plan = await asyncio.to_thread(_read, source, self._config)
        except ConfigError as error:
            self._refuse(error, ledger)
            return
        if self._over:
            log.warning("not reloaded: stopping")
            return
        self._config = reloaded(self._config, wanted)
        for setting in plan.at_restart:
            log.warning("takes effect at the next start only", setting=str(setting))
        words = plan.words()
        log.info("reloaded", plan=words)
        session.reload(self._config, words)
        try:
            await asyncio.to_thread(remember, self._config.storage.root, self._config, source)
        except OSError as error:
            log.warning("check --against will not see this reload", reason=str(error))

    def _refuse(self, error: ConfigError, ledger: Ledger) -> None:
        for problem in error.problems:
            log.error("not reloaded; recording goes on as before", problem=str(problem))
        if not self._over:
            ledger.event("reload_refused", str(error.problems[0]))


def _read(source: Path, running: Config) -> tuple[Config, Difference]:
    wanted = load(source)
    return wanted, difference(running, wanted)
