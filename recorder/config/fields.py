"""The kinds of text a config has, each with what makes one right.

Rule: a refusal is a sentence for the person who wrote the file; it names what would be right.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")
_DAY_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_HOST_PORT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:\[\]]+):([0-9]{1,5})")


def _plain(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; write a value or leave the key out")
    if text != text.strip():
        raise ValueError(f'has space around it; write "{text.strip()}"')
    if not text.isprintable():
        raise ValueError("has a character in it that does not print; write it without")
    return text


def _host(text: str) -> str:
    if re.search(r"\s", text):
        raise ValueError("has a space in it; write a host name or an address, such as 127.0.0.1")
    return _plain(text)


def _host_port(value: object) -> object:
    match = _HOST_PORT.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[2]) > 65535:
        raise ValueError("should be HOST:PORT, such as 127.0.0.1:9478, or null for off")
    return value


def _expiry(text: str) -> str:
    form = {6: "%Y%m", 8: "%Y%m%d"}.get(len(text))
    try:
        if form and text.isascii() and text.isdigit():
            datetime.strptime(text, form).replace(tzinfo=UTC)
            return text
    except ValueError:  # a thirteenth month: said below, like any other text that is no date
        pass
    raise ValueError(f'is no date; write YYYYMM or YYYYMMDD, such as "202612", not "{text}"')


def isin_check_digit(body: str) -> str:
    """The check digit of an ISIN from its first 11 characters (ISO 6166: letters are 10 to 35, then Luhn)."""
    digits = [int(digit) for char in body for digit in str(int(char, 36))]
    doubled = [digit if index % 2 else digit * 2 for index, digit in enumerate(reversed(digits))]
    return str(-sum(digit // 10 + digit % 10 for digit in doubled) % 10)


def _isin(text: str) -> str:
    if not _ISIN.fullmatch(text):
        raise ValueError("is no ISIN; write two capital letters, nine letters or digits, and the check digit")
    if (digit := isin_check_digit(text[:11])) != text[11]:
        raise ValueError(f"has a wrong digit: by the rest the last one would be {digit}; check the ISIN")
    return text


def _multiplier(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(int(value)) if value == value // 1 else str(value)
    if isinstance(value, str) and not (re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) and float(value)):
        raise ValueError("should be a plain number above 0, such as 50")
    return value


def _day_time(value: object) -> object:
    if not isinstance(value, str) or not _DAY_TIME.fullmatch(value):
        raise ValueError('should be a time of day in UTC, such as "01:00", or null for never')
    return value


def _folder(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.startswith("~"):
        raise ValueError("starts with ~, which only a shell knows; write the whole path")
    return Path(_plain(value))


Text = Annotated[str, AfterValidator(_plain), WithJsonSchema({"type": "string", "minLength": 1})]
"""Text of at least one character, all of which print."""

Host = Annotated[str, AfterValidator(_host), WithJsonSchema({"type": "string", "pattern": r"^\S+$"})]
"""A host name or an address."""

HostPort = Annotated[
    str, BeforeValidator(_host_port), WithJsonSchema({"type": "string", "pattern": r"^\S+:[0-9]{1,5}$"})
]
"""Where to listen, ``127.0.0.1:9478``; port 0 takes any free one."""

Expiry = Annotated[
    str, AfterValidator(_expiry), WithJsonSchema({"type": "string", "pattern": r"^[0-9]{6}([0-9]{2})?$"})
]
"""A contract month ``YYYYMM`` or a day ``YYYYMMDD``."""

Isin = Annotated[
    str, AfterValidator(_isin), WithJsonSchema({"type": "string", "pattern": r"^[A-Z]{2}[A-Z0-9]{9}[0-9]$"})
]
"""An ISIN whose check digit holds."""

Multiplier = Annotated[
    str,
    BeforeValidator(_multiplier),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]}),
]
"""The multiplier as IB has it, text; a number in the file becomes that."""

Folder = Annotated[Path, BeforeValidator(_folder), WithJsonSchema({"type": "string", "minLength": 1})]
"""A folder."""

DayTime = Annotated[
    str,
    BeforeValidator(_day_time),
    WithJsonSchema({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
]
"""A time of day ``HH:MM``, UTC."""
