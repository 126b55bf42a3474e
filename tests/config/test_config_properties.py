"""Whatever is written, loading gives a config or a `ConfigError`; and what is right comes back as written."""

import io
import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from recorder.config import Config, ConfigError, load
from recorder.config.fields import isin_check_digit
from recorder.config.jsonschema import schema

SAMPLE = (Path(__file__).parents[2] / "config" / "watchlist.yaml").read_text()
VALIDATOR = jsonschema.Draft7Validator(schema())

JARGON = ("pydantic", "Traceback", "Input should be", "type=", "tag:yaml", "<class")

many = settings(max_examples=150, database=None)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("config") / "c.yaml"


def outcome(file: Path, content: bytes) -> Config | ConfigError:
    file.write_bytes(content)
    try:
        return load(file)
    except ConfigError as error:
        told = error
    assert len(told.problems) == len(str(told).splitlines()) > 0
    assert all(problem.line > 0 and problem.column > 0 for problem in told.problems)
    assert not any(jargon in str(told) for jargon in JARGON)
    return told


YAML_PIECES = st.sampled_from(
    ["{", "}", "[", "]", ":", ": ", "- ", "\n", "\n  ", "\t", "'", '"', "|", ">", "&a ", "*a", "!x ",
     "!!int ", "!!binary ", "? ", "<<: ", "%YAML 1.1\n---\n", "%TAG ! x\n", "...", "#", ", ", "null", "true",
     "1e5", "0x", "2026-13-45", "watchlist", "gateway", "streams", "level1", "depth", "type", "stock",
     "forex", "symbol", "\ud7ff", "\u2028", "\ufeff", "\x85"]
)  # fmt: skip


@given(
    content=st.one_of(
        st.binary(), st.text().map(str.encode), st.lists(YAML_PIECES).map("".join).map(str.encode)
    )
)
@many
def test_any_file_is_a_config_or_a_config_error(file, content):
    outcome(file, content)


@given(data=st.data())
@many
def test_a_damaged_sample_is_a_config_or_a_config_error(file, data):
    start = data.draw(st.integers(0, len(SAMPLE)))
    end = data.draw(st.integers(start, min(start + 20, len(SAMPLE))))
    middle = data.draw(st.lists(YAML_PIECES, max_size=3).map("".join))
    outcome(file, (SAMPLE[:start] + middle + SAMPLE[end:]).encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = [
    key
    for section in ("gateway", "storage", "status")
    for key in schema()["properties"][section]["properties"]
]


@given(
    config=st.fixed_dictionaries(
        {
            "watchlist": JSON
            | st.lists(
                st.dictionaries(st.sampled_from([*schema()["definitions"]["line"]["properties"]]), JSON)
            )
        },
        optional={
            "gateway": st.dictionaries(st.sampled_from(KEYS), JSON),
            "storage": st.dictionaries(st.sampled_from(KEYS), JSON),
            "streams": JSON | st.lists(st.dictionaries(st.sampled_from(["level1", "depth", "bars"]), JSON)),
        },
    )
)
@many
def test_any_value_at_any_key_is_taken_or_told(file, config):
    outcome(file, json.dumps(config).encode())


words = st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" "), min_size=1, max_size=12).filter(
    lambda text: text == text.strip() and text.isprintable()
)
seconds = st.floats(1e-3, 1e6) | st.integers(1, 10**6)
expiries = st.dates().map("{:%Y%m%d}".format).filter(lambda text: len(text) == 8)
isins = st.from_regex(r"[A-Z]{2}[A-Z0-9]{9}", fullmatch=True).map(lambda body: body + isin_check_digit(body))
prices = st.floats(0.01, 1e6) | st.integers(1, 10**6)

STREAM = st.one_of(
    st.sampled_from(["level1", "depth", "bars"]),
    st.builds(lambda ticks: {"level1": {"generic_ticks": ticks}}, st.lists(st.integers(1, 999), unique=True)),
    st.builds(
        lambda rows, smart: {"depth": {"rows": rows, "smart": smart}}, st.integers(1, 100), st.booleans()
    ),
    st.builds(lambda hours: {"bars": {"regular_hours": hours}}, st.booleans()),
)
KIND = lambda stream: stream if isinstance(stream, str) else next(iter(stream))  # noqa: E731
STREAMS = st.lists(STREAM, min_size=1, max_size=3, unique_by=KIND)
BARE = st.lists(st.sampled_from(["level1", "bars"]), min_size=1, unique=True)


def line(needs: dict, optional: dict | None = None, streams=STREAMS):
    anywhere = {"currency": words, "trading_class": words, "primary_exchange": words, "streams": streams}
    return st.fixed_dictionaries(needs, optional=anywhere | (optional or {}))


def of(kind: str, **needs):
    return {"type": st.just(kind), **needs}


LINE = st.one_of(
    line(of("stock", symbol=words), {"exchange": words}),
    line(of("crypto", symbol=words)),
    line(of("index", symbol=words, exchange=words), streams=BARE),
    line(
        of("future", symbol=words, exchange=words, expiry=expiries),
        {"multiplier": st.integers(1, 1000).map(str)},
    ),
    line(of("option", symbol=words, expiry=expiries, strike=prices, right=st.sampled_from("CP"))),
    line(of("bond", isin=isins)),
    line({"con_id": st.integers(1, 2**31 - 1)}),
)
CONFIG = st.fixed_dictionaries(
    {"watchlist": st.lists(LINE, min_size=1, max_size=5)},
    optional={
        "gateway": st.fixed_dictionaries(
            {},
            optional={
                "port": st.integers(1, 65535),
                "heartbeat_seconds": seconds,
                "client_id": st.integers(20, 99),
            },
        ),
        "storage": st.fixed_dictionaries(
            {}, optional={"flush_seconds": seconds, "retain_days": st.integers(1, 999)}
        ),
        "status": st.fixed_dictionaries({}, optional={"listen": st.just("[::1]:80") | st.none()}),
        "streams": BARE,
    },
)


def as_yaml(config: dict) -> str:
    out = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump(config, out)
    return out.getvalue()


@given(config=CONFIG, dump=st.sampled_from([as_yaml, lambda config: json.dumps(config, ensure_ascii=False)]))
@many
def test_a_right_config_comes_back_as_it_was_written(file, config, dump):
    for index, entry in enumerate(config["watchlist"]):
        entry["name"] = f"line {index}"
    VALIDATOR.validate(config)
    loaded = outcome(file, dump(config).encode())
    assert isinstance(loaded, Config), loaded
    for section in ("gateway", "storage", "status"):
        given = config.get(section, {})
        assert given == getattr(loaded, section).model_dump(include=set(given))
    for entry, made in zip(config["watchlist"], loaded.watchlist, strict=True):
        contract = {key: value for key, value in entry.items() if key != "streams"}
        assert contract == made.model_dump(include=set(contract))
        streams = entry.get("streams", config.get("streams", ["level1"]))
        assert [KIND(stream) for stream in streams] == [stream.kind for stream in made.streams]
        for stream, taken in zip(streams, made.streams, strict=True):
            options = {} if isinstance(stream, str) else stream[taken.kind]
            told = taken.model_dump(include=set(options))
            assert options == {key: list(v) if isinstance(v, tuple) else v for key, v in told.items()}
