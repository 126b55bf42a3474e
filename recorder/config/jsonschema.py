"""The JSON Schema of the config file, by which editors check and explain it.

``python -m recorder.config.jsonschema > config/schema.json`` writes it anew.

Rules:
- Everything comes from the model and the tables beside it; only the short forms of streams are said here.
- It accepts all that the loader accepts, and refuses unknown keys and wrong types as the loader does. What
  takes two keys to tell, or a name given twice, the loader alone finds.
"""

import json
import sys
from typing import Any

from pydantic import BaseModel

from recorder.config.contracts import SPECIAL, TYPES, ContractType
from recorder.config.model import OPTIONS, Config, Gateway, Line, Status, Storage, Stream

Schema = dict[str, Any]

_STREAM = {"$ref": "#/definitions/stream"}
_DRAFT = "http://json-schema.org/draft-07/schema#"

_MEANINGS = {
    "level1": "IB's top of book and trades, aggregated; for options the greeks as well.",
    "trades": "Every trade, tick by tick (IB's AllLast).",
    "quotes": "Every best bid and ask, tick by tick.",
    "midpoints": "Every midpoint, tick by tick.",
    "depth": "The order book.",
    "bars": "Real-time bars of five seconds.",
}


def schema() -> Schema:
    """The JSON Schema (draft 7, which editors know best) of the config file."""
    sections: dict[str, type[BaseModel]] = {"gateway": Gateway, "storage": Storage, "status": Status}
    properties = {name: _section(model) for name, model in sections.items()}
    properties["streams"] = {**_described("streams"), **_streams()}
    properties["watchlist"] = {
        **_described("watchlist"),
        "type": "array",
        "minItems": 1,
        "items": {"$ref": "#/definitions/line"},
    }
    return {
        "$schema": _DRAFT,
        "title": "ib-recorder configuration",
        **_object(properties, ["watchlist"]),
        "definitions": {"stream": _stream(), "line": _line()},
    }


def _object(properties: Schema, required: list[str] | None = None) -> Schema:
    closed = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**closed, "required": required} if required else closed


def _described(key: str) -> Schema:
    return {"description": Config.model_fields[key].description}


def _section(model: type[BaseModel]) -> Schema:
    return {"description": model.__doc__, **_object(_properties(model)), "type": ["object", "null"]}


def _properties(model: type[BaseModel]) -> Schema:
    properties: Schema = model.model_json_schema()["properties"]
    for field in properties.values():
        field.pop("title")
    return properties


def _streams() -> Schema:
    return {"type": "array", "minItems": 1, "items": _STREAM}


def _stream() -> Schema:
    names = [{"const": kind, "description": _MEANINGS[kind]} for kind in OPTIONS]
    return {"anyOf": [*names, *(_with_options(kind, options) for kind, options in OPTIONS.items())]}


def _with_options(kind: str, options: tuple[str, ...]) -> Schema:
    fields = _properties(Stream)
    for option in ("show", "smart"):
        fields[option].pop("default", None)  # they follow from the line
    own = _object({option: fields[option] for option in options})
    return _object({kind: {"description": _MEANINGS[kind], **own, "type": ["object", "null"]}}, [kind])


def _line() -> Schema:
    properties = _properties(Line)
    properties["streams"] = {"description": properties["streams"]["description"], **_streams()}
    return {
        "description": Line.__doc__,
        **_object(properties),
        "anyOf": [{"required": ["type"]}, {"required": ["con_id"]}],
        "allOf": [_rule(name, kind) for name, kind in TYPES.items()],
    }


def _rule(name: str, kind: ContractType) -> Schema:
    """What a line of this type needs, unless a con_id or local symbol says it, and what it cannot have."""
    ways: list[Schema] = [{"required": list(kind.needs)}, {"required": ["con_id"]}]
    if kind.local:
        rest = [key for key in kind.needs if key not in kind.local]
        ways.append({"required": ["local_symbol", *rest]})
    foreign = [key for key in SPECIAL if key not in (*kind.needs, *kind.takes)]
    return {
        "if": {"required": ["type"], "properties": {"type": {"const": name}}},
        "then": {"anyOf": ways, "properties": dict.fromkeys(foreign, False)},
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
