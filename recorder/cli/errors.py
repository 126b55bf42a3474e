"""What a person reads when something is wrong: one line each, no traceback, the exit code of the interface."""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

BAD_CONFIG = 2
FAILED = 1


class WrongOptionError(ValueError):
    """An option's value is none; says what would be right."""


@contextmanager
def told() -> Iterator[None]:
    """Run a command; turn what a person can mend into a line on standard error and an exit code."""
    try:
        from recorder.config import ConfigError
        from recorder.daemon.workers import RenderFailedError
        from recorder.journal.folder import NotARecordingError
        from recorder.journal.lock import RootInUseError
        from recorder.reader.errors import NotARecording
        from recorder.simulator import ScriptError

        yield
    except KeyboardInterrupt:  # first: it may come before the others are imported
        sys.exit(130)
    except ConfigError as error:
        _leave(str(error), BAD_CONFIG)
    except WrongOptionError as error:
        _leave(str(error), BAD_CONFIG)
    except (NotARecording, NotARecordingError, RenderFailedError, RootInUseError, ScriptError) as error:
        _leave(str(error), FAILED)
    except OSError as error:
        named = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
        _leave(named, FAILED)


def choice(given: str, *allowed: str) -> str:
    """``given`` if it is one of ``allowed``; else a usage error."""
    if given not in allowed:
        raise typer.BadParameter(f"{given!r}; one of {', '.join(allowed)}")
    return given


def rate(given: str) -> float:
    """Ticks a second: a positive number, or ``max``.

    Raises:
        WrongOptionError: it is none.
    """
    try:
        value = math.inf if given == "max" else float(given)
    except ValueError:
        value = -1
    if not value > 0:
        raise WrongOptionError(f"--rate {given}: no rate; a positive number, or max")
    return value


def seconds(option: str, given: float, most: float) -> float:
    """A time that is not over before it begins.

    Raises:
        WrongOptionError: it is none.
    """
    if not 0 < given <= most:
        raise WrongOptionError(f"{option} {given:g}: must be a number above 0, up to {most:g}")
    return given


def whole(option: str, given: str, least: int, most: int) -> int:
    """A whole number within bounds.

    Raises:
        WrongOptionError: it is none.
    """
    try:
        value = int(given)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise WrongOptionError(f"{option} {given}: must be a whole number from {least} to {most}")
    return value


def _leave(message: str, code: int) -> None:
    sys.stderr.write(message.rstrip("\n") + "\n")
    sys.exit(code)
