"""The JSON Schema that editors use says what the loader says."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from recorder.config import ConfigError, load
from recorder.config.jsonschema import schema

FOLDER = Path(__file__).parents[2] / "config"
VALIDATOR = jsonschema.Draft7Validator(schema())


def accepts(text: str) -> bool:
    return VALIDATOR.is_valid(YAML(typ="safe", pure=True).load(text))


def loads(folder: Path, text: str) -> bool:
    (folder / "c.yaml").write_text(text)
    try:
        load(folder / "c.yaml")
    except ConfigError:
        return False
    return True


def test_the_schema_is_a_schema():
    jsonschema.Draft7Validator.check_schema(schema())


def test_the_schema_in_the_repository_is_what_the_command_writes():
    command = [sys.executable, "-m", "recorder.config.jsonschema"]
    written = subprocess.run(command, capture_output=True, check=True, text=True, cwd=FOLDER.parent).stdout
    assert written == (FOLDER / "schema.json").read_text()


def test_the_sample_is_valid_and_names_its_schema():
    text = (FOLDER / "watchlist.yaml").read_text()
    VALIDATOR.validate(YAML(typ="safe", pure=True).load(text))
    assert "# yaml-language-server: $schema=schema.json" == text.splitlines()[0]
    assert (FOLDER / "schema.json").exists()


def described(part: object, where: str = "") -> list[str]:
    """The properties below ``part`` that have no description."""
    if isinstance(part, list):
        return [one for item in part for one in described(item, where)]
    if not isinstance(part, dict):
        return []
    bare = [
        f"{where}.{name}"
        for name, field in part.get("properties", {}).items()
        if part.get("additionalProperties") is False and not field.get("description")
    ]
    return bare + [one for name, value in part.items() for one in described(value, f"{where}.{name}")]


def test_every_key_is_explained():
    assert [] == described(json.loads((FOLDER / "schema.json").read_text()))


FINE = "watchlist: [{type: stock, symbol: AAPL}]\n"
STREAM = "watchlist: [{{type: stock, symbol: AAPL, streams: {}}}]"

REFUSED = [
    "{}", "[]", "watchlist: []", "watchlist: {}", "watchlist: [AAPL]", "watchlist: [{}]", "gateway: {}",
    f"other: 1\n{FINE}", f"gateway: 5\n{FINE}", f"gateway: {{prot: 1}}\n{FINE}",
    f"gateway: {{port: 0}}\n{FINE}",
    f"gateway: {{port: '1'}}\n{FINE}", f"gateway: {{port: null}}\n{FINE}", f"gateway: {{host: 1}}\n{FINE}",
    f"gateway: {{host: a b}}\n{FINE}", f"gateway: {{spare_client_ids: 1}}\n{FINE}",
    f"gateway: {{spare_client_ids: [x]}}\n{FINE}", f"gateway: {{market_data_type: LIVE}}\n{FINE}",
    f"gateway: {{heartbeat_seconds: 0}}\n{FINE}", f"gateway: {{max_lines: 1.5}}\n{FINE}",
    f"storage: {{root: 1}}\n{FINE}", f"storage: {{retain_days: 0}}\n{FINE}",
    f"storage: {{fsync_seconds: -1}}\n{FINE}", f"storage: {{compact_at: '25:00'}}\n{FINE}",
    f"storage: {{compact_at: 1}}\n{FINE}", f"storage: {{memory_megabytes: 1}}\n{FINE}",
    f"status: {{listen: 9478}}\n{FINE}", f"status: {{listen: x}}\n{FINE}", f"streams: level1\n{FINE}",
    f"streams: []\n{FINE}", f"streams: null\n{FINE}",
    *(STREAM.format(streams) for streams in (
        "[x]", "[1]", "[]", "null", "[{}]", "[{x: {}}]", "[{depth: {}, level1: {}}]", "[{depth: 5}]",
        "[{depth: {rows: 0}}]", "[{depth: {rows: x}}]", "[{depth: {smart: 1}}]", "[{depth: {show: TRADES}}]",
        "[{quotes: {x: 1}}]", "[{bars: {show: X}}]", "[{level1: {generic_ticks: 233}}]",
    )),
    *(f"watchlist: [{line}]" for line in (
        "{symbol: A}", "{type: x, symbol: A}", "{type: stock}", "{type: stock, symbol: 700}",
        "{type: stock, symbol: ''}", "{type: stock, symbol: null}", "{type: stock, symbol: A, x: 1}",
        "{type: stock, symbol: A, strike: 5}", "{type: stock, symbol: A, name: 5}", "{con_id: x}",
        "{con_id: 0}",
        "{type: future, symbol: ES, exchange: CME}", "{type: future, symbol: ES, expiry: '202612'}",
        "{type: future, symbol: ES, expiry: 202612, exchange: CME}", "{type: index, symbol: SPX}",
        "{type: bond, symbol: A}", "{type: bond, isin: X}",
        "{type: option, symbol: A, expiry: '202612', strike: '5', right: C}",
        "{type: option, symbol: A, expiry: '202612', strike: 5, right: X}",
        "{type: option, symbol: A, expiry: '202612', strike: 5}",
    )),
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_both_refuse_what_has_the_wrong_shape(tmp_path, text):
    assert (False, False) == (accepts(text), loads(tmp_path, text))


TAKEN = [
    FINE, f"gateway:\nstorage:\nstatus:\n{FINE}", f"status: {{listen: null}}\n{FINE}",
    f"storage: {{retain_days: 7, root: /srv}}\n{FINE}", f"storage: {{compact_at: 23:59}}\n{FINE}",
    f"storage: {{compact_at: null, archive_days: 0, spare_megabytes: 0}}\n{FINE}",
    f"streams: [level1, {{depth: {{rows: 5}}}}]\n{FINE}",
    STREAM.format("[{level1: }]"), STREAM.format("[{bars: {}}]"),
    STREAM.format("[{level1: {generic_ticks: []}}]"),
    *(f"watchlist: [{line}]" for line in (
        "{con_id: 1}", "{con_id: 1, type: future}", "{con_id: 1, type: option, symbol: A}",
        "{type: future, local_symbol: ESZ6, exchange: CME}",
        "{type: future, symbol: ES, expiry: '202612', exchange: CME, multiplier: 50}",
        "{type: future, symbol: ES, expiry: '202612', exchange: CME, multiplier: '50'}",
        "{type: option, symbol: A, expiry: '20261218', strike: 2.5, right: P, trading_class: A}",
    )),
]  # fmt: skip


@pytest.mark.parametrize("text", TAKEN)
def test_both_take_what_is_right(tmp_path, text):
    assert (True, True) == (accepts(text), loads(tmp_path, text))
