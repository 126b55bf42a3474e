"""What would be right, in words: a field's JSON Schema said as people say it.

Rule: the schema is the only source, so a limit that changes in the model changes in the message.
"""

import json
from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from typing import Any

from recorder.config.document import Data

_LONGEST = 40

Schema = Mapping[str, Any]


def expected(schema: Schema) -> str:
    """What ``schema`` accepts: ``a whole number from 1 to 65535``, ``true or false``, ``text, or null``."""
    if "anyOf" in schema:
        return ", or ".join(expected(one) for one in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    kind = schema["type"]
    if kind in ("integer", "number"):
        return ("a whole number" if kind == "integer" else "a number") + _bounds(schema)
    return _KINDS[kind]


_KINDS = {
    "array": "a list in brackets: [...]",
    "boolean": "true or false",
    "null": "null",
    "object": "keys and values",
    "string": "text",
}


def _bounds(schema: Schema) -> str:
    low, above, high = (schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))
    if high is not None:
        return f" from {low} to {high}"
    if above is not None:
        return f" above {above}"
    return f", {low} or more" if low is not None else ""


def found(data: Data, written: str | None) -> str:
    """What stands in the file instead: text in quotes, other scalars as written, ``a list``."""
    if isinstance(data, Mapping):
        return "keys and values"
    if isinstance(data, tuple):
        return "a list" if data else "an empty list"
    if isinstance(data, str):
        return quoted(data)
    return _short(written) if written else "nothing"


def quoted(text: str) -> str:
    """``text`` in double quotes, ready to be put into the file; long text is cut."""
    return json.dumps(_short(text), ensure_ascii=False)


def not_text(data: Data, written: str | None) -> str:
    """What to do about a scalar that should be text and is none to YAML."""
    if not written:
        return "is empty; write a value or leave the key out"
    return f"is {_NATURE.get(type(data), 'no text')} to YAML; quote this: {quoted(written)}"


_NATURE = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    date: "a date",
    type(None): "nothing",
}


def counted(count: int, noun: str) -> str:
    """``1 row``, ``2 rows``, ``1,000 rows``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def unknown(name: str, known: tuple[str, ...], noun: str = "key") -> str:
    """What to do about a ``noun`` that is not one of ``known``."""
    likely = get_close_matches(name, known, 1)
    if likely:
        return f'unknown {noun}; did you mean "{likely[0]}"?'
    return f"unknown {noun}; {'known are ' + ', '.join(known) if known else 'there are none here'}"


def _short(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
