"""The plan of a reload before it happens, from two files or from what a recorder has left in its folder."""

import asyncio
import json
import os
import stat
from pathlib import Path

import pytest
from daemon import recording, run, table, until, write_config
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import scripted

import recorder
from recorder.config import Config, Gateway, Line, Status, Storage, Stream, load
from recorder.config.difference import reloaded
from recorder.config.model import OPTIONS
from recorder.daemon.running import NAME, remember, running
from recorder.journal import folder
from recorder.wire.layouts import TICK_PRICE

SAMPLE = Path(__file__).parents[2] / "config" / "watchlist.yaml"

AAPL = "{type: stock, symbol: AAPL}"
INTC = "{type: stock, symbol: INTC, streams: [level1, trades]}"
KO = "{type: stock, symbol: KO}"


def check(*command):
    return asyncio.run(run("check", *map(str, command)))


def config_of(path: Path, *lines: str, gateway: str = "") -> Path:
    path.parent.mkdir(exist_ok=True)
    listed = "\n".join(f"  - {line}" for line in lines)
    path.write_text(
        f"gateway: {{{gateway}}}\nstorage: {{root: {path.parent / 'data'}}}\nwatchlist:\n{listed}\n"
    )
    return path


@pytest.fixture
def two(tmp_path):
    """A file and what it shall become: a line more, one less, one changed, another port, fewer lines."""
    changed = "{type: stock, symbol: INTC, exchange: NYSE, streams: [level1, quotes]}"
    old = config_of(tmp_path / "old.yaml", AAPL, INTC, gateway="port: 4002")
    new = config_of(tmp_path / "new.yaml", changed, KO, gateway="port: 4001, max_lines: 97")
    return old, new


PLAN = """\
+ KO  level1
- AAPL  level1
~ INTC  exchange: SMART -> NYSE, +quotes, -trades
at a reload: gateway.max_lines: 100 -> 97
at a restart: gateway.port: 4002 -> 4001
2 of 97 market data lines
1 of 5 tick by tick
0 of 3 depth
+3 -3, 2 of 97 lines, restart for gateway.port
"""


def test_the_plan_is_what_comes_what_goes_and_what_changes(two):
    old, new = two
    assert (0, PLAN, "") == check(new, "--against", old)


def test_the_plan_as_json(two):
    old, new = two
    code, output, errors = check(new, "--against", old, "--format", "json")
    assert (0, "") == (code, errors)
    report = json.loads(output)
    plan = report["plan"]
    assert report["ok"]
    assert [("INTC", "level1"), ("INTC", "quotes"), ("KO", "level1")] == [
        (one["name"], one["stream"]) for one in plan["added"]
    ]
    assert {"name": "AAPL", "title": "stock AAPL", "stream": "level1", "options": {"generic_ticks": []}} == (
        plan["removed"][0]
    )
    assert [
        {
            "name": "INTC",
            "settings": [{"key": "exchange", "before": "SMART", "after": "NYSE"}],
            "added": ["quotes"],
            "removed": ["trades"],
        }
    ] == plan["changed"]
    assert [{"key": "gateway.max_lines", "before": 100, "after": 97}] == plan["at_reload"]
    assert [{"key": "gateway.port", "before": 4002, "after": 4001}] == plan["at_restart"]
    assert ([], [], []) == (plan["kept"], plan["refused"], plan["refused_before"])
    assert "+3 -3, 2 of 97 lines, restart for gateway.port" == plan["words"]


def test_the_same_file_changes_nothing(two):
    old, _ = two
    code, output, _ = check(old, "--against", old)
    assert (0, "2 of 100 market data lines") == (code, output.splitlines()[0])
    assert "+0 -0, 2 of 100 lines" == output.splitlines()[-1]


def test_what_fits_no_more_and_what_fits_now_is_said(tmp_path):
    old = config_of(tmp_path / "old.yaml", AAPL, KO, gateway="max_lines: 1")
    new = config_of(tmp_path / "new.yaml", KO, AAPL, gateway="max_lines: 1")
    code, output, _ = check(new, "--against", old)
    assert 2 == code
    assert "line 2 AAPL: the one market data line is taken" in output
    assert "+ KO  level1 (fits now)\n- AAPL  level1 (does not fit any more)\n" in output
    assert "2 of 1 market data lines" in output
    assert "+1 -1, 1 of 1 lines, 1 refused" == output.splitlines()[-1]


def test_two_lines_of_one_title_are_told_one_by_one(tmp_path):
    option = "type: option, symbol: SPX, expiry: '20261218', strike: 6000, right: C"
    spx, spxw = (f"{{{option}, trading_class: {name}}}" for name in ("SPX", "SPXW"))
    old = config_of(tmp_path / "old.yaml", f"{{{option}, trading_class: SPX, streams: [level1, bars]}}")
    new = config_of(tmp_path / "new.yaml", spx, spxw)
    title = "option SPX 20261218 6000 C"
    _, output, _ = check(new, "--against", old)
    assert [f"+ {title}  level1", f"~ {title}  -bars"] == output.splitlines()[:2]


def test_both_files_are_told_what_is_wrong_with_them(tmp_path):
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("watchlist:\n  - {type: stock, symbol: 700}\n")
    new.write_text("gatway: {}\nwatchlist: [{type: stock, symbol: AAPL}]\n")
    code, output, errors = check(new, "--against", old)
    assert (2, "") == (code, output)
    first, second = errors.splitlines()
    assert first.startswith(f"{new}:1:1: gatway: ")
    assert second.startswith(f"{old}:2:27: watchlist[0].symbol: ")
    good = config_of(tmp_path / "good.yaml", AAPL)
    assert [first] == check(new, "--against", good)[2].splitlines()
    assert [second] == check(good, "--against", old)[2].splitlines()
    assert [first] == check(new, "--against", new)[2].splitlines()


def test_a_folder_in_which_nothing_ran_is_told_in_one_line(tmp_path):
    path, root = config_of(tmp_path / "c.yaml", AAPL), tmp_path / "data"
    folder.create(root)
    code, output, errors = check(path, "--against", root)
    assert (2, "") == (code, output)
    assert (
        f"{root / NAME}:1:1: missing: only ib-recorder run leaves it in a recording; name a config file\n"
        == errors
    )


def test_what_is_no_recording_and_no_config_is_told_as_by_the_other_commands(tmp_path):
    path = config_of(tmp_path / "c.yaml", AAPL)
    code, output, errors = check(path, "--against", tmp_path)
    assert (2, "", asyncio.run(run("recover", str(tmp_path)))[2]) == (code, output, errors)
    code, output, errors = check(path, "--against", tmp_path / "none")
    said = f"--against {tmp_path / 'none'}: not there; name a config file or a recording's folder\n"
    assert (2, "", said) == (code, output, errors)


def test_a_file_edited_in_place_is_compared_with_what_the_recorder_runs_with(tmp_path):
    path = config_of(tmp_path / "c.yaml", AAPL)
    root = tmp_path / "data"
    folder.create(root)
    remember(root, load(path), path)
    config_of(path, AAPL, INTC)
    code, output, errors = check(path, "--against", root)
    assert (0, "") == (code, errors)
    assert "+ INTC  level1 trades" == output.splitlines()[0]
    assert "+2 -0, 2 of 100 lines" == output.splitlines()[-1]
    (tmp_path / "link").symlink_to(root)
    assert output == check(path, "--against", tmp_path / "link")[1]


def test_what_a_reload_left_for_a_restart_is_still_told_after_it(two, tmp_path):
    old, new = map(load, two)
    root = tmp_path / "data"
    folder.create(root)
    remember(root, reloaded(old, new), two[1])
    _, output, _ = check(two[1], "--against", root)
    assert "at a restart: gateway.port: 4002 -> 4001" == output.splitlines()[0]
    assert "+0 -0, 2 of 97 lines, restart for gateway.port" == output.splitlines()[-1]


def test_a_damaged_copy_is_a_bad_config(tmp_path):
    root = tmp_path / "data"
    folder.create(root)
    (root / NAME).write_text("watchlist: [\n")
    code, _, errors = check(config_of(tmp_path / "c.yaml", AAPL), "--against", root)
    assert (2, 1) == (code, len(errors.splitlines()))
    assert errors.startswith(f"{root / NAME}:")


async def one_price(conversation, req, _fields):
    conversation.send(TICK_PRICE.encode(req, {"tick_type": 1, "price": 5.0, "size": 1, "attribs": 1}))


def test_with_connect_the_contracts_are_shown_as_well(tmp_path):
    async def story():
        async with scripted(one_price) as gateway:
            old = write_config(tmp_path, gateway.port, AAPL).rename(tmp_path / "old.yaml")
            new = write_config(tmp_path, gateway.port, AAPL, INTC)
            return await run("check", str(new), "--against", str(old), "--connect")

    code, output, errors = asyncio.run(story())
    assert (0, "") == (code, errors)
    assert "conId" in output
    assert "+ INTC  level1 trades\n" in output
    assert "+2 -0, 2 of 100 lines" == output.splitlines()[-1]


def test_neither_readers_nor_the_next_recorder_mind_the_file(tmp_path):
    root = tmp_path / "data"

    async def story():
        async with scripted(one_price) as gateway:
            config = write_config(tmp_path, gateway.port, AAPL)
            folder.create(root)
            for _ in range(2):
                remember(root, load(config), config)
                (root / f"{NAME}.new").touch()  # a recorder that was killed while it wrote
                seen = len(gateway.conversations)
                async with recording(config):
                    await until(lambda seen=seen: len(gateway.conversations) > seen)
                    await until(lambda: gateway.conversations[-1].asked)
            return [await run(command, str(root)) for command in ("recover", "verify")]

    answers = asyncio.run(story())
    assert [0, 0] == [code for code, _, _ in answers], answers
    assert [5.0, 5.0] == table(root, "level1")["price"].tolist()
    assert [5.0, 5.0] == recorder.open(root).level1("AAPL")["price"].tolist()


def test_the_copy_is_for_its_owner_alone_and_appears_whole(tmp_path):
    folder.create(tmp_path)
    (tmp_path / f"{NAME}.new").write_text("half of some")
    os.chmod(tmp_path / f"{NAME}.new", 0o666)  # noqa: PTH101 - as another umask would have left it
    mask = os.umask(0)
    try:
        remember(tmp_path, load(SAMPLE), SAMPLE)
    finally:
        os.umask(mask)
    assert 0o600 == stat.S_IMODE((tmp_path / NAME).stat().st_mode)
    assert not (tmp_path / f"{NAME}.new").exists()


def test_who_reads_the_copy_while_it_is_replaced_reads_the_one_before_whole(tmp_path):
    root = tmp_path / "data"
    folder.create(root)
    path = config_of(tmp_path / "c.yaml", AAPL)
    remember(root, load(path), path)
    before = (root / NAME).read_text()
    with (root / NAME).open() as reader:
        remember(root, load(config_of(path, KO)), path)
        assert before == reader.read()
    assert ["KO"] == [line.symbol for line in running(root).watchlist]


def test_the_copy_says_where_it_is_from_and_goes_where_the_recording_goes(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    folder.create(here)
    odd = tmp_path / "a\nwatchlist: nonsense.yaml"
    remember(here, load(SAMPLE), odd)
    assert f"# Read from {json.dumps(str(odd))}" == (here / NAME).read_text().splitlines()[1]
    here.rename(there)
    assert there == running(there).storage.root


WORDS = st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" "), min_size=1, max_size=12).filter(
    lambda text: text == text.strip() and text.isprintable()
)
SECONDS = st.floats(1e-9, 1e20)
STREAM = st.one_of(
    st.sampled_from([Stream(kind=kind) for kind in OPTIONS]),
    st.lists(st.integers(1, 999), unique=True).map(
        lambda ticks: Stream(kind="level1", generic_ticks=tuple(ticks))
    ),
    st.builds(lambda rows: Stream(kind="depth", rows=rows, smart=False), st.integers(1, 100)),
    st.sampled_from(["BID", "TRADES"]).map(lambda show: Stream(kind="bars", show=show, regular_hours=True)),
)
STREAMS = st.lists(STREAM, min_size=1, unique_by=lambda stream: stream.kind).map(tuple)
LINE = st.one_of(
    st.builds(lambda symbol, streams: Line(type="stock", symbol=symbol, streams=streams), WORDS, STREAMS),
    st.builds(lambda con_id, name: Line(con_id=con_id, name=name), st.integers(1, 2**31 - 1), WORDS),
    st.builds(
        lambda strike: Line(
            type="option", symbol="X", expiry="202612", strike=strike, right="C", multiplier="10"
        ),
        st.floats(1e-9, 1e20),
    ),
    st.just(Line(type="forex", symbol="EURUSD")),
)
CONFIG = st.builds(
    Config,
    gateway=st.builds(Gateway, host=st.sampled_from(["::1", "ibgw"]), heartbeat_seconds=SECONDS),
    storage=st.builds(
        Storage,
        fsync_seconds=st.integers(1, 3600),
        retain_days=st.none() | st.integers(1, 9),
        root=st.just(Path("/elsewhere")),
    ),
    status=st.builds(Status, listen=st.sampled_from([None, "[::1]:80"])),
    streams=STREAMS,
    watchlist=st.lists(
        LINE, min_size=1, max_size=5, unique_by=lambda line: line.label or str(line.strike)
    ).map(tuple),
)


@given(config=CONFIG)
@settings(max_examples=150, database=None)
def test_what_is_remembered_comes_back_as_it_was(tmp_path_factory, config):
    root = tmp_path_factory.getbasetemp() / "remembered"
    root.mkdir(exist_ok=True)
    remember(root, config, SAMPLE)
    storage = config.storage.model_copy(update={"root": root})
    assert config.model_copy(update={"storage": storage}) == running(root)
