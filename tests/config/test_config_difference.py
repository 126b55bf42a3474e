"""What another config changes: nothing twice, nothing forgotten, and in the words of the file."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.config import Config, Gateway, Line, Status, Storage, Stream, load
from recorder.config.difference import (
    AT_RELOAD,
    Recorded,
    Setting,
    difference,
    identities,
    recorded,
    reloaded,
)
from recorder.config.limits import budget
from recorder.config.model import OPTIONS

many = settings(max_examples=150, database=None)

STREAM = st.one_of(
    st.sampled_from([Stream(kind=kind) for kind in OPTIONS]),
    st.sampled_from(
        [
            Stream(kind="level1", generic_ticks=(233,)),
            Stream(kind="depth", rows=5),
            Stream(kind="bars", show="BID"),
        ]
    ),
)
STREAMS = st.lists(STREAM, min_size=1, max_size=4, unique_by=lambda stream: stream.kind).map(tuple)
CONTRACT = st.sampled_from(
    [
        {"type": "stock", "symbol": "A"},
        {"type": "stock", "symbol": "A", "exchange": "NYSE"},
        {"type": "stock", "symbol": "B"},
        {"type": "stock", "symbol": "C", "name": "B"},
        {"type": "stock", "symbol": "A", "name": "A2"},
        {"type": "future", "symbol": "ES", "expiry": "202612", "exchange": "CME"},
        {"type": "future", "symbol": "ES", "expiry": "202703", "exchange": "CME"},
        {"type": "continuous_future", "symbol": "ES", "exchange": "CME"},
        {"con_id": 1},
        {"con_id": 1, "name": "one"},
    ]
)
LINE = st.builds(lambda contract, streams: Line(**contract, streams=streams), CONTRACT, STREAMS)
WATCHLIST = st.lists(LINE, min_size=1, max_size=8, unique_by=lambda line: line.label or line.title).map(tuple)
GATEWAY = st.builds(
    Gateway,
    port=st.integers(4001, 4003),
    max_lines=st.integers(1, 8),
    heartbeat_seconds=st.sampled_from([5.0, 15.0]),
)
CONFIG = st.builds(
    Config,
    gateway=GATEWAY,
    storage=st.sampled_from([Storage(), Storage(flush_seconds=5)]),
    status=st.sampled_from([Status(), Status(listen=None)]),
    watchlist=WATCHLIST,
)


def accepted(config: Config) -> set[Recorded]:
    return {one for one, verdict in recorded(config).items() if verdict.accepted}


def stocks(*lines: str, streams: tuple[Stream, ...] = (Stream(kind="level1"),), **gateway) -> Config:
    watchlist = tuple(Line(type="stock", symbol=symbol, streams=streams) for symbol in lines)
    return Config(gateway=Gateway(**gateway), watchlist=watchlist)


def of(*lines: Line) -> Config:
    return Config(watchlist=lines)


def pairs(streams) -> list[tuple[str, str]]:
    return [(one.name, one.kind) for one in streams]


@given(config=CONFIG)
@many
def test_nothing_differs_from_itself(config):
    same = difference(config, config)
    assert same.empty
    assert ((), (), (), ()) == (same.added, same.removed, same.at_reload, same.at_restart)
    assert accepted(config) == set(same.kept)
    assert same.words().startswith("+0 -0, ")


@given(running=CONFIG, wanted=CONFIG)
@many
def test_what_is_kept_and_added_is_recorded_then_and_what_is_kept_and_removed_was(running, wanted):
    plan = difference(running, wanted)
    assert len({*plan.kept, *plan.added, *plan.removed}) == len(plan.kept + plan.added + plan.removed)
    assert accepted(wanted) == {*plan.kept, *plan.added}
    assert accepted(running) == {*plan.kept, *plan.removed}
    assert {*recorded(running)} == accepted(running) | {*plan.refused_before}
    assert {*recorded(wanted)} == accepted(wanted) | {*plan.refused}
    assert plan.lines == sum(one.kind in ("level1", "bars") for one in accepted(wanted))


@given(running=CONFIG, wanted=CONFIG)
@many
def test_the_way_back_is_the_other_way_round(running, wanted):
    there, back = difference(running, wanted), difference(wanted, running)
    assert set(there.added) == set(back.removed)
    assert set(there.kept) == set(back.kept)
    assert {change.line for change in there.changed} == {change.line for change in back.changed}
    turned = {Setting(one.key, one.after, one.before) for one in back.at_restart}
    assert set(there.at_restart) == turned
    assert there.empty == back.empty


@given(data=st.data(), config=CONFIG)
@many
def test_the_order_of_the_file_means_nothing_where_all_fits(data, config):
    roomy = config.model_copy(update={"gateway": Gateway(max_lines=1000)})
    shuffled = tuple(data.draw(st.permutations(roomy.watchlist)))
    other = roomy.model_copy(update={"watchlist": shuffled})
    assert difference(roomy, other).empty


@given(running=CONFIG, wanted=CONFIG)
@many
def test_a_reload_leaves_what_needs_a_restart_and_nothing_else(running, wanted):
    plan, after = difference(running, wanted), reloaded(running, wanted)
    rest = difference(after, wanted)
    assert plan.at_restart == rest.at_restart
    assert ((), (), (), ()) == (rest.added, rest.removed, rest.changed, rest.at_reload)
    assert plan.added == difference(running, after).added
    assert () == difference(running, after).at_restart


@given(config=CONFIG)
@many
def test_every_stream_keeps_its_place_in_the_watchlist(config):
    assert list(budget(config)) == list(recorded(config).values())


def test_a_line_stays_the_same_line_with_other_streams():
    def line(*kinds: str) -> Line:
        return Line(type="stock", symbol="A", streams=tuple(Stream(kind=kind) for kind in kinds))

    assert identities(of(line("level1"))) == identities(of(line("trades", "level1")))
    plan = difference(of(line("level1")), of(line("trades", "level1")))
    assert ([("A", "level1")], [("A", "trades")]) == (pairs(plan.kept), pairs(plan.added))
    assert [("A", (), ("trades",), ())] == [
        (one.name, one.settings, one.added, one.removed) for one in plan.changed
    ]


def test_a_line_taken_out_makes_room_for_another():
    plan = difference(stocks("A", "B", "C", max_lines=2), stocks("A", "C", max_lines=2))
    assert ([("C", "level1")], [("B", "level1")]) == (pairs(plan.added), pairs(plan.removed))
    assert [("C", "level1")] == pairs(plan.refused_before)
    assert {} == plan.refused
    assert "+1 -1, 2 of 2 lines" == plan.words()


def test_a_line_moved_up_takes_the_place_of_another():
    plan = difference(stocks("A", "B", max_lines=1), stocks("B", "A", max_lines=1))
    assert ([("B", "level1")], [("A", "level1")]) == (pairs(plan.added), pairs(plan.removed))
    assert ["the one market data line is taken; raise gateway.max_lines if the account has more"] == [
        *plan.refused.values()
    ]
    assert "+1 -1, 1 of 1 lines, 1 refused" == plan.words()


def test_more_lines_of_the_account_add_what_was_refused():
    plan = difference(stocks("A", "B", max_lines=1), stocks("A", "B", max_lines=2))
    assert [("B", "level1")] == pairs(plan.added)
    assert ["gateway.max_lines: 1 -> 2"] == [*map(str, plan.at_reload)]
    assert () == plan.at_restart


def test_a_name_or_an_option_that_changes_ends_one_recording_and_begins_another():
    plan = difference(
        of(Line(type="stock", symbol="A"), Line(type="stock", symbol="B")),
        of(
            Line(type="stock", symbol="A", name="AA"),
            Line(type="stock", symbol="B", streams=(Stream(kind="level1", generic_ticks=(233,)),)),
        ),
    )
    assert [("AA", "level1"), ("B", "level1")] == pairs(plan.added)
    assert [("A", "level1"), ("B", "level1")] == pairs(plan.removed)
    (change,) = plan.changed
    assert ("B", ["level1.generic_ticks: [] -> [233]"]) == (change.name, [*map(str, change.settings)])
    assert ((), ()) == (change.added, change.removed)


def test_the_same_name_with_another_contract_is_a_changed_line():
    listed = Line(type="stock", symbol="A", exchange="NYSE", streams=(Stream(kind="trades"),))
    (change,) = difference(of(Line(type="stock", symbol="A")), of(listed)).changed
    assert "A" == change.name
    assert ["exchange: SMART -> NYSE"] == [*map(str, change.settings)]
    assert (("trades",), ("level1",)) == (change.added, change.removed)


def test_a_future_that_is_rolled_is_another_line_by_its_title():
    old, new = (
        Line(type="future", symbol="ES", expiry=expiry, exchange="CME") for expiry in ("202612", "202703")
    )
    plan = difference(of(old), of(new))
    assert [("future ES 202703 CME", "level1")] == pairs(plan.added)
    assert [("future ES 202612 CME", "level1")] == pairs(plan.removed)
    assert () == plan.changed


def test_a_continuous_future_gets_another_name_beside_a_future_of_its_symbol():
    front = Line(type="continuous_future", symbol="ES", exchange="CME")
    future = Line(type="future", symbol="ES", expiry="202612", exchange="CME")
    plan = difference(of(front), of(front, future))
    assert [(front.title, "level1"), (future.title, "level1")] == pairs(plan.added)
    assert [(front.title, "level1")] == pairs(plan.removed)


@pytest.mark.parametrize(
    "said",
    [
        "{type: stock, symbol: A, exchange: SMART, currency: USD}",
        "{type: stock, symbol: A, name: A}",
        "{type: stock, symbol: A, streams: [{level1: {generic_ticks: []}}]}",
    ],
)
def test_a_default_said_aloud_is_no_difference(tmp_path, said):
    short, long = tmp_path / "short.yaml", tmp_path / "long.yaml"
    short.write_text("watchlist: [{type: stock, symbol: A}]\n")
    long.write_text(f"gateway: {{port: 4002}}\nstreams: [level1]\nwatchlist: [{said}]\n")
    assert difference(load(short), load(long)).empty


def test_generic_ticks_in_another_order_are_the_same_request():
    def ticks(*numbers: int) -> Config:
        return stocks("A", streams=(Stream(kind="level1", generic_ticks=numbers),))

    assert difference(ticks(100, 233), ticks(233, 100)).empty
    assert not difference(ticks(100, 233), ticks(233)).empty


def test_a_key_that_only_the_other_file_has_is_told():
    listed = Line(type="stock", symbol="A", primary_exchange="NASDAQ")
    (change,) = difference(of(Line(type="stock", symbol="A")), of(listed)).changed
    assert ["primary_exchange: null -> NASDAQ"] == [*map(str, change.settings)]


def test_what_is_refused_in_vain_is_a_difference_though_nothing_else_is_recorded():
    plan = difference(stocks("A", max_lines=1), stocks("A", "B", max_lines=1))
    assert ((), ()) == (plan.added, plan.removed)
    assert not plan.empty


def test_the_streams_at_the_top_matter_by_what_the_lines_make_of_them():
    config = stocks("A")
    assert difference(config, config.model_copy(update={"streams": (Stream(kind="trades"),)})).empty


def test_settings_are_told_as_the_file_has_them():
    wanted = Config(
        gateway=Gateway(port=4001, client_id=18, heartbeat_seconds=7.5),
        storage=Storage(flush_seconds=60, retain_days=30),
        status=Status(listen=None),
        watchlist=stocks("A").watchlist,
    )
    plan = difference(stocks("A"), wanted)
    assert () == plan.at_reload
    assert [
        "gateway.port: 4002 -> 4001",
        "gateway.client_id: 17 -> 18",
        "gateway.spare_client_ids: [18, 19] -> [19]",
        "gateway.heartbeat_seconds: 15 -> 7.5",
        "storage.flush_seconds: 300 -> 60",
        "storage.retain_days: null -> 30",
        "status.listen: 127.0.0.1:9478 -> null",
    ] == [*map(str, plan.at_restart)]
    assert plan.words().endswith(
        "1 of 100 lines, restart for gateway.port gateway.client_id gateway.spare_client_ids "
        "gateway.heartbeat_seconds storage.flush_seconds storage.retain_days status.listen"
    )


def test_what_a_reload_applies_are_keys_of_the_gateway():
    assert set(AT_RELOAD) < set(Gateway.model_fields)
