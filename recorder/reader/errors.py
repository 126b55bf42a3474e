"""What goes wrong on the reading side, for people to read."""

from collections.abc import Iterable
from difflib import get_close_matches


class NotARecording(ValueError):  # noqa: N818 - reads as a sentence where it is caught
    """The folder is no recording, or one this version cannot read."""


class Damaged(OSError):  # noqa: N818 - as above
    """A Parquet file that does not read: torn, or a page whose checksum does not hold."""


class UnknownSymbol(ValueError):  # noqa: N818 - as above
    """A line that was never part of the recording."""

    def __init__(self, symbol: str, known: Iterable[str]) -> None:
        lines = sorted(known)
        super().__init__(f"no line {symbol!r} in this recording; {_instead(symbol, lines)}")


def _instead(symbol: str, lines: list[str]) -> str:
    folded = {line.casefold(): line for line in lines}
    near = [folded[name] for name in get_close_matches(symbol.casefold(), folded, cutoff=0.5)]
    if near:
        return f"did you mean {' or '.join(map(repr, near))}?"
    if not lines:
        return "it has no lines yet"
    more = f" and {len(lines) - 20} more" if len(lines) > 20 else ""
    return f"it has {', '.join(lines[:20])}{more}"
