"""Logging: one way for the recorder's words and its libraries'; console on a terminal, JSON lines elsewhere."""

import logging
import sys
from typing import TextIO

import structlog

_LIBRARIES = {
    # Never at DEBUG: ib_async.client would log every frame, account ids among them.
    # ib_async says at ERROR what the session says in its own words, and every notice of the gateway besides.
    "ib_async": logging.CRITICAL,
    "apscheduler": logging.WARNING,
}


def configure(*, verbose: bool = False, quiet: bool = False, stream: TextIO | None = None) -> None:
    """Send everything to ``stream`` (standard error); ``verbose``: the libraries' words too; ``quiet``: errors only."""
    stream = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_ending(stream)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.ERROR if quiet else logging.INFO)
    for name, level in _LIBRARIES.items():
        logging.getLogger(name).setLevel(logging.INFO if verbose else level)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _ending(stream: TextIO) -> list[structlog.typing.Processor]:
    """Tracebacks without the values of variables: those may hold what is nobody's business."""
    if stream.isatty():
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(exception_formatter=plain, pad_event_to=0)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
