"""From the tables back to the wire: each row to the fields of the message it came from."""

import math
from collections.abc import Iterator

import pandas as pd

from recorder.wire.layouts import LAYOUTS, NOT_COMPUTED, Layout

KINDS = {"trades": (1, 2), "quotes": (3,), "midpoints": (4,)}
_BY_ID = {layout.msg_id: layout for layout in LAYOUTS if not layout.variants}
_BY_VARIANT = {variant: layout for layout in LAYOUTS for variant in layout.variants}


def normal(fields: list[str]) -> tuple:
    """A message's fields with numbers as numbers, so that ``213.50`` and ``213.5`` are the same."""
    return tuple(_number(field) for field in fields)


def _number(text: str):
    try:
        value = float(text)
    except ValueError:
        return text
    return value if math.isfinite(value) else text


def messages(
    tables: dict[str, pd.DataFrame], requests: dict[tuple[str, str], int]
) -> Iterator[tuple[int, tuple]]:
    """``seq`` and fields of every message in the tables; ``requests``: (line, stream) to request id."""
    for name, rows in tables.items():
        for row in rows.to_dict("records"):
            values = {column: None if _absent(value) else value for column, value in row.items()}
            yield row["seq"], normal([str(field) for field in _fields(name, values, requests)])


def _absent(value) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def _fields(table: str, row: dict, requests: dict[tuple[str, str], int]) -> list:
    if table == "other":
        return row["text"].split("\t")
    if table == "events":
        return _spoken(row, requests)
    stream = "level1" if table == "greeks" else table
    layout = _layout(table, row)
    values = row | {"req": requests[row["symbol"], stream], "msg_id": layout.msg_id}
    if "ts_event" in row:
        values["ts_event"] = int(row["ts_event"].timestamp())
    if layout.variants:
        values["variant"] = {"last": 1, "all_last": 2}.get(row.get("kind"), layout.variants[0])
    if layout.name == "tick_efp":
        return ["47", "6", values["req"], row["tick_type"], *row["text"].split("\t")]
    if layout.name == "depth_l2":
        values["smart"] = int(row["smart"])
    names = [field.name for field in layout.fields]
    return [_value(layout, name, values) for name in names]


def _value(layout: Layout, name: str, values: dict):
    value = values.get(name, name)
    if value is None:
        return NOT_COMPUTED.get(name, "") if layout.name == "greeks" else ""
    return value


def _layout(table: str, row: dict) -> Layout:
    if table in KINDS:
        return _BY_VARIANT[KINDS[table][-1]]
    if table == "level1":
        if row["attribs"] is not None or (row["price"] is not None):
            return _BY_ID[1]
        if row["text"] is not None and "\t" in row["text"]:
            return _BY_ID[47]
        for column, msg_id in (("size", 2), ("value", 45)):
            if row[column] is not None:
                return _BY_ID[msg_id]
        return _BY_ID[46]
    if table == "depth":
        return _BY_ID[12 if row["smart"] is None else 13]
    return _BY_ID[{"greeks": 21, "bars": 50}[table]]


def _spoken(row: dict, requests: dict[tuple[str, str], int]) -> list:
    req = requests.get((row["symbol"], row["stream"]), -1)
    words = dict(word.partition("=")[::2] for word in (row["text"] or "").split(" ") if "=" in word)
    match row["kind"]:
        case "market_data_type":
            return [58, 1, req, row["code"]]
        case "tick_params":
            return [81, req, words["min_tick"], words["bbo_exchange"], words["snapshot_permissions"]]
        case "rerouted":
            return [91, req, words["con_id"], words["exchange"]]
        case "notice" | "refused":
            return [4, 2, req, row["code"], row["text"], ""]
    return []
