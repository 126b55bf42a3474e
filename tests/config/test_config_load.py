"""What people write wrong, and the exact line they get for it."""

from pathlib import Path

import pytest

from recorder.config import ConfigError, known, load

SAMPLE = Path(__file__).parents[2] / "config" / "watchlist.yaml"
FINE = "watchlist: [{type: stock, symbol: AAPL}]\n"
OPTION = '{type: option, symbol: SPY, expiry: "20261218", strike: 600, right: C'


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "c.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def said(folder: Path, content: str | bytes) -> list[str]:
    path = written(folder, content)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert len(caught.value.problems) == len(str(caught.value).splitlines())
    return str(caught.value).replace(f"{path}:", "").splitlines()


def line_of(entry: str) -> str:
    return f"watchlist:\n  - {entry}\n"


WHOLE_FILE = {
    "": "1:1: is empty; the least there is: watchlist: [{type: stock, symbol: AAPL}]",
    "# only this\n": "1:1: is empty; the least there is: watchlist: [{type: stock, symbol: AAPL}]",
    "- a\n": "1:1: should be keys and values, not a list; the least there is: "
    "watchlist: [{type: stock, symbol: AAPL}]",
    "AAPL": '1:1: should be keys and values, not "AAPL"; the least there is: '
    "watchlist: [{type: stock, symbol: AAPL}]",
    "gateway: {}\n": "1:1: watchlist: missing; say what to record: watchlist: [{type: stock, symbol: AAPL}]",
    "watchlist:\n": "1:1: watchlist: should be a list of what to record, "
    "such as [{type: stock, symbol: AAPL}], not nothing",
    "watchlist: []\n": "1:12: watchlist: should be a list of what to record, "
    "such as [{type: stock, symbol: AAPL}], not an empty list",
    "a: b: c\n": "1:5: not YAML: mapping values are not allowed here; "
    "quote a value that has a colon in it, and check the indentation",
    "gateway:\n\tport: 1\n": r"2:1: not YAML: found character '\t' that cannot start any token; "
    "indent with spaces, not with tabs",
    "a: 'x": "1:6: not YAML: found unexpected end of stream while scanning a quoted scalar that began on "
    "line 1; "
    "check indentation, brackets and quotes here",
    "a: 1\n---\nb: 2\n": "2:1: not YAML: but found another document expected a single document in the stream "
    "that began on line 1; keep one document in the file",
    "a: \x01\n": "1:4: not YAML: an unprintable character; delete it",
    b"a: 1\nb: \xff\n": "2:4: not UTF-8 text; save the file as UTF-8",
    "[" * 5000: "1:1: nested too deeply; four levels are all a config needs",
    "a: &x [*x]\n": "1:4: an alias inside its own anchor; write the value out",
}


@pytest.mark.parametrize("content", WHOLE_FILE, ids=range(len(WHOLE_FILE)))
def test_a_file_that_is_no_config_is_refused_in_one_line(tmp_path, content):
    assert [WHOLE_FILE[content]] == said(tmp_path, content)


def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path):
    path = tmp_path / "none.yaml"
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert f"{path}:1:1: cannot be read: No such file or directory; name a config file that can" == str(
        caught.value
    )


SECTIONS = {
    "gatway: {}": '1:1: gatway: unknown key; did you mean "gateway"?',
    "zzz: 1": "1:1: zzz: unknown key; known are gateway, storage, status, streams, watchlist",
    '"a\\nb": 1': r"1:1: a\nb: unknown key; known are gateway, storage, status, streams, watchlist",
    "gateway: 5": "1:10: gateway: should be keys and values, not 5",
    "gateway: {prot: 5}": '1:11: gateway.prot: unknown key; did you mean "port"?',
    "gateway: {port: 1, port: 2}": "1:20: gateway.port: given twice, first on line 1; keep one of the two",
    "gateway: {port: 0}": "1:17: gateway.port: should be a whole number from 1 to 65535, not 0",
    "gateway: {port: 65536}": "1:17: gateway.port: should be a whole number from 1 to 65535, not 65536",
    'gateway: {port: "4002"}': '1:17: gateway.port: should be a whole number from 1 to 65535, not "4002"',
    "gateway: {port: 1.5}": "1:17: gateway.port: should be a whole number from 1 to 65535, not 1.5",
    "gateway: {port: true}": "1:17: gateway.port: should be a whole number from 1 to 65535, not true",
    "gateway: {port: [1]}": "1:17: gateway.port: should be a whole number from 1 to 65535, not a list",
    "gateway: {port: {a: 1}}": "1:17: gateway.port: should be a whole number from 1 to 65535, not keys and "
    "values",
    "gateway: {port: }": "1:11: gateway.port: should be a whole number from 1 to 65535, not nothing",
    "gateway: {host: !x a}": "1:17: gateway.host: the tag !x is not known here; write the plain value",
    "gateway: {host: 5}": '1:17: gateway.host: is a number to YAML; quote this: "5"',
    'gateway: {host: ""}': "1:17: gateway.host: is empty; write a value or leave the key out",
    "gateway: {host: a b}": "1:17: gateway.host: has a space in it; "
    "write a host name or an address, such as 127.0.0.1",
    "gateway: {client_id: -1}": "1:22: gateway.client_id: should be a whole number from 0 to 2147483647, "
    "not -1",
    "gateway: {spare_client_ids: 18}": "1:29: gateway.spare_client_ids: should be a list in brackets: "
    "[...], not 18",
    "gateway: {spare_client_ids: [x]}": "1:30: gateway.spare_client_ids[0]: "
    'should be a whole number from 0 to 2147483647, not "x"',
    "gateway: {spare_client_ids: [17]}": "1:29: gateway.spare_client_ids: "
    "has 17, which is client_id; name other ids",
    "gateway: {spare_client_ids: [5, 5]}": "1:29: gateway.spare_client_ids: has 5 twice; write each number "
    "once",
    "gateway: {market_data_type: Live}": "1:29: gateway.market_data_type: "
    'should be one of live, frozen, delayed, delayed_frozen, not "Live"',
    "gateway: {heartbeat_seconds: 0}": "1:30: gateway.heartbeat_seconds: should be a number above 0, not 0",
    "gateway: {heartbeat_seconds: .inf}": "1:30: gateway.heartbeat_seconds: should be a number above 0, not "
    ".inf",
    "gateway: {connect_timeout_seconds: -1}": "1:36: gateway.connect_timeout_seconds: "
    "should be a number above 0, not -1",
    "gateway: {reconnect_min_seconds: 5, reconnect_max_seconds: 2}": "1:60: gateway.reconnect_max_seconds: "
    "2 is below reconnect_min_seconds, 5; raise it to that at least",
    "gateway: {reconnect_min_seconds: 90}": "1:10: gateway.reconnect_max_seconds: "
    "60 is below reconnect_min_seconds, 90; raise it to that at least",
    "gateway: {max_lines: 0}": "1:22: gateway.max_lines: should be a whole number, 1 or more, not 0",
    "storage: {root: 5}": "1:17: storage.root: should be text, not 5",
    'storage: {root: ""}': "1:17: storage.root: is empty; write a value or leave the key out",
    "storage: {root: ~/ticks}": "1:17: storage.root: starts with ~, which only a shell knows; write the "
    "whole path",
    "storage: {flush_seconds: 0}": "1:26: storage.flush_seconds: should be a number above 0, not 0",
    "storage: {fsync_seconds: -0.1}": "1:26: storage.fsync_seconds: should be a number from 0 to 3600, not -0.1",
    "storage: {spare_megabytes: 10001}": "1:28: storage.spare_megabytes: should be a whole number from 0 to 10000, "
    "not 10001",
    "storage: {fsync_seconds: 1e10}": "1:26: storage.fsync_seconds: should be a number from 0 to 3600, not 1e10",
    "storage: {retain_days: 0}": "1:24: storage.retain_days: should be a whole number, 1 or more, or null, "
    "not 0",
    "status: {listen: 9478}": "1:18: status.listen: "
    "should be HOST:PORT, such as 127.0.0.1:9478, or null for off",
    "status: {listen: localhost}": "1:18: status.listen: "
    "should be HOST:PORT, such as 127.0.0.1:9478, or null for off",
    "status: {listen: a:65536}": "1:18: status.listen: "
    "should be HOST:PORT, such as 127.0.0.1:9478, or null for off",
    "streams: level1": '1:10: streams: should be a list of streams, such as [level1, trades], not "level1"',
    "streams: []": "1:10: streams: should be a list of streams, such as [level1, trades], not an empty list",
    "streams: [level_1]": '1:11: streams[0]: unknown stream; did you mean "level1"?',
    'gateway: {host: "\\ud800"}': "1:17: gateway.host: "
    "has half a character in it; write the character itself",
    '"\\ud800": 1': "1:1: a key is not a word; write it as NAME: VALUE",
    "? [a]\n: 1": "1:3: a key is not a word; write it as NAME: VALUE",
}


@pytest.mark.parametrize("top", SECTIONS)
def test_a_wrong_value_is_told_at_its_place(tmp_path, top):
    assert [SECTIONS[top]] == said(tmp_path, f"{top}\n{FINE}")


LINES = {
    # tickers that YAML takes for something else
    "{type: stock, symbol: 0700}": '27: watchlist[0].symbol: is a number to YAML; quote this: "0700"',
    "{type: stock, symbol: 1}": '27: watchlist[0].symbol: is a number to YAML; quote this: "1"',
    "{type: stock, symbol: 1e5}": '27: watchlist[0].symbol: is a number to YAML; quote this: "1e5"',
    "{type: stock, symbol: 0x1F}": '27: watchlist[0].symbol: is a number to YAML; quote this: "0x1F"',
    "{type: stock, symbol: TRUE}": '27: watchlist[0].symbol: is a boolean to YAML; quote this: "TRUE"',
    "{type: stock, symbol: null}": '27: watchlist[0].symbol: is nothing to YAML; quote this: "null"',
    "{type: stock, symbol: 2026-12-18}": "27: watchlist[0].symbol: is a date to YAML; quote this: "
    '"2026-12-18"',
    "{type: stock, symbol: }": "19: watchlist[0].symbol: is empty; write a value or leave the key out",
    "{type: stock, symbol: A, name: 1}": '36: watchlist[0].name: is a number to YAML; quote this: "1"',
    "{type: stock, symbol: [A]}": "27: watchlist[0].symbol: should be text, not a list",
    # the line as a whole
    "AAPL": '5: watchlist[0]: should be a contract such as {type: stock, symbol: AAPL}, not "AAPL"',
    "{symbol: AAPL}": "5: watchlist[0].type: missing; "
    "say what it is, such as {type: stock, symbol: AAPL}, or give its con_id",
    "{type: stok, symbol: AAPL}": "12: watchlist[0].type: should be one of stock, forex, cfd, future, "
    'continuous_future, option, index, crypto, bond, not "stok"',
    "{type: stock, symbol: A, exchnge: X}": '30: watchlist[0].exchnge: unknown key; did you mean "exchange"?',
    "{type: stock}": "5: watchlist[0].symbol: missing; a stock needs it: {type: stock, symbol: AAPL}",
    "{type: stock, symbol: A, strike: 5}": "38: watchlist[0].strike: a stock has none; leave it out",
    "{type: stock, symbol: A, strike: 5, con_id: 1}": "38: watchlist[0].strike: a stock has none; leave "
    "it out",
    '{type: stock, symbol: A, name: " "}': "36: watchlist[0].name: is empty; write a value or leave the key "
    "out",
    '{type: stock, symbol: A, name: " x"}': '36: watchlist[0].name: has space around it; write "x"',
    '{type: stock, symbol: A, name: "a\\tb"}': "36: watchlist[0].name: "
    "has a character in it that does not print; write it without",
    "{con_id: 0}": "14: watchlist[0].con_id: should be a whole number from 1 to 2147483647, not 0",
    "{con_id: AAPL}": '14: watchlist[0].con_id: should be a whole number from 1 to 2147483647, not "AAPL"',
    # what each type needs
    "{type: forex, symbol: EUR.USD}": "27: watchlist[0].symbol: "
    "should be two currencies in six capital letters; write EURUSD",
    "{type: forex, symbol: EUR}": "27: watchlist[0].symbol: "
    "should be two currencies in six capital letters; write EURUSD for euros in dollars",
    "{type: forex, symbol: EURUSD, currency: EUR}": "45: watchlist[0].currency: "
    "EURUSD is priced in USD; leave it out",
    "{type: future, symbol: ES, exchange: CME}": "5: watchlist[0].expiry: missing; a future needs it: "
    '{type: future, symbol: ES, expiry: "202612", exchange: CME}',
    '{type: future, symbol: ES, expiry: "202612"}': "5: watchlist[0].exchange: missing; a future needs it: "
    '{type: future, symbol: ES, expiry: "202612", exchange: CME}',
    "{type: future, local_symbol: ESZ6}": "5: watchlist[0].exchange: missing; a future needs it: "
    '{type: future, symbol: ES, expiry: "202612", exchange: CME}',
    "{type: continuous_future, symbol: ES}": "5: watchlist[0].exchange: missing; a continuous future needs "
    "it: "
    "{type: continuous_future, symbol: ES, exchange: CME}",
    "{type: index, symbol: SPX}": "5: watchlist[0].exchange: missing; an index needs it: "
    "{type: index, symbol: SPX, exchange: CBOE}",
    "{type: bond, symbol: X}": "5: watchlist[0].isin: missing; a bond needs it: {type: bond, isin: "
    "US03076KAA60}",
    "{type: bond, isin: US03076KAA61}": "24: watchlist[0].isin: "
    "has a wrong digit: by the rest the last one would be 0; check the ISIN",
    "{type: bond, isin: us03076kaa60}": "24: watchlist[0].isin: is no ISIN; "
    "write two capital letters, nine letters or digits, and the check digit",
    '{type: future, symbol: ES, expiry: "202613", exchange: CME}': "40: watchlist[0].expiry: "
    'is no date; write YYYYMM or YYYYMMDD, such as "202612", not "202613"',
    '{type: future, symbol: ES, expiry: "20260230", exchange: CME}': "40: watchlist[0].expiry: "
    'is no date; write YYYYMM or YYYYMMDD, such as "202612", not "20260230"',
    "{type: future, symbol: ES, expiry: DEC26, exchange: CME}": "40: watchlist[0].expiry: "
    'is no date; write YYYYMM or YYYYMMDD, such as "202612", not "DEC26"',
    "{type: future, symbol: ES, expiry: 202612, exchange: CME}": "40: watchlist[0].expiry: "
    'is a number to YAML; quote this: "202612"',
    '{type: option, symbol: A, expiry: "202612", strike: 0, right: C}': "57: watchlist[0].strike: "
    "should be a number above 0, not 0",
    '{type: option, symbol: A, expiry: "202612", strike: "5", right: C}': "57: watchlist[0].strike: "
    'should be a number above 0, not "5"',
    '{type: option, symbol: A, expiry: "202612", strike: 5, right: CALL}': "67: watchlist[0].right: "
    'should be one of C, P, not "CALL"',
    f"{OPTION}, multiplier: x}}": "88: watchlist[0].multiplier: should be a plain number above 0, such as 50",
    f"{OPTION}, multiplier: 0}}": "88: watchlist[0].multiplier: should be a plain number above 0, such as 50",
}

STREAMS = {
    # how streams are written
    ("stock, symbol: A", "level1"): ': should be a list of streams, such as [level1, trades], not "level1"',
    ("stock, symbol: A", "[]"): ": should be a list of streams, such as [level1, trades], not an empty list",
    ("stock, symbol: A", "[bras]"): '[0]: unknown stream; did you mean "bars"?',
    ("stock, symbol: A", "[{bras: }]"): '[0].bras: unknown stream; did you mean "bars"?',
    ("stock, symbol: A", "[5]"): "[0]: should be a stream such as level1, "
    "or one with its options such as {depth: {rows: 5}}, not 5",
    ("stock, symbol: A", "[{depth: , rows: 5}]"): "[0]: should be a stream such as level1, "
    "or one with its options such as {depth: {rows: 5}}, not keys and values",
    (
        "stock, symbol: A",
        "[{depth: 5}]",
    ): "[0].depth: should be options by name, such as {depth: {...}}, not 5",
    (
        "stock, symbol: A",
        "[{depth: {rows: 0}}]",
    ): "[0].depth.rows: should be a whole number from 1 to 100, not 0",
    ("stock, symbol: A", "[{depth: {rows: 101}}]"): "[0].depth.rows: "
    "should be a whole number from 1 to 100, not 101",
    ("stock, symbol: A", "[{depth: {smart: yes}}]"): '[0].depth.smart: should be true or false, not "yes"',
    ("stock, symbol: A", "[{depth: {row: 5}}]"): '[0].depth.row: unknown option; did you mean "rows"?',
    ("stock, symbol: A", "[{quotes: {zz: 5}}]"): "[0].quotes.zz: unknown option; there are none here",
    ("stock, symbol: A", "[{quotes: {only_reportable: true}}]"): "[0].quotes.only_reportable: "
    "is an option of trades, not of quotes; leave it out",
    ("stock, symbol: A", "[{level1: {generic_ticks: 233}}]"): "[0].level1.generic_ticks: "
    "should be a list in brackets: [...], not 233",
    ("stock, symbol: A", "[{level1: {generic_ticks: [0]}}]"): "[0].level1.generic_ticks[0]: "
    "should be a whole number from 1 to 9999, not 0",
    ("stock, symbol: A", "[{level1: {generic_ticks: [1, 1]}}]"): "[0].level1.generic_ticks: "
    "has 1 twice; write each number once",
    ("stock, symbol: A", "[{bars: {show: trades}}]"): "[0].bars.show: "
    'should be one of TRADES, MIDPOINT, BID, ASK, not "trades"',
    ("stock, symbol: A", "[trades, {trades: {only_reportable: true}}]"): "[1]: "
    "trades is already watchlist[0].streams[0]; keep one, or give it a line with a name",
    # what IB does not stream
    (OPTION[7:], "[trades]"): "[0]: IB has no live tick-by-tick data for options; record level1",
    (OPTION[7:], "[quotes]"): "[0]: IB has no live tick-by-tick data for options; record level1",
    (OPTION[7:], "[midpoints]"): "[0]: IB has no live tick-by-tick data for options; record level1",
    (
        "forex, symbol: EURUSD",
        "[trades]",
    ): "[0]: spot forex has no published trades; record quotes or midpoints",
    ("forex, symbol: EURUSD", "[{bars: {show: TRADES}}]"): "[0].bars.show: "
    "IB has no TRADES bars for forex; show MIDPOINT, BID or ASK",
    ("cfd, symbol: IBUS30", "[trades]"): "[0]: a CFD has no trades of its own; record quotes or midpoints",
    ("cfd, symbol: IBUS30", "[{bars: {show: TRADES}}]"): "[0].bars.show: "
    "IB has no TRADES bars for cfd; show MIDPOINT, BID or ASK",
    ("index, symbol: SPX, exchange: CBOE", "[depth]"): "[0]: an index has no order book; record level1",
    ("index, symbol: SPX, exchange: CBOE", "[quotes]"): "[0]: "
    "IB has tick-by-tick data only for indices on CME; record level1",
    ("index, symbol: SPX, exchange: CBOE", "[{bars: {show: BID}}]"): "[0].bars.show: "
    "IB has no BID bars for index; show TRADES",
}


@pytest.mark.parametrize("entry", LINES)
def test_a_wrong_line_is_told_at_its_place(tmp_path, entry):
    assert [f"2:{LINES[entry]}"] == said(tmp_path, line_of(entry))


@pytest.mark.parametrize(("contract", "streams"), STREAMS)
def test_a_wrong_stream_is_told_by_its_key(tmp_path, contract, streams):
    entry = f"{{type: {contract.removeprefix('type: ')}, streams: {streams}}}"
    (line,) = said(tmp_path, line_of(entry))
    assert f"watchlist[0].streams{STREAMS[contract, streams]}" == line.split(": ", 1)[1]


def test_streams_of_the_top_that_ib_does_not_offer_are_told_at_the_line(tmp_path):
    top = "streams: [level1, trades]\n"
    (line,) = said(tmp_path, top + line_of("{type: forex, symbol: EURUSD}"))
    assert (
        "3:5: watchlist[0].streams: spot forex has no published trades; record quotes or midpoints; "
        "it is among the streams at the top, so give this line its own"
    ) == line


TWINS = {
    ("{type: stock, symbol: A}", "{type: stock, symbol: A, exchange: X}"): "27: watchlist[1].symbol: "
    '"A" is already the name of watchlist[0] on line 2; give one of the two another name',
    ("{type: stock, symbol: A}", "{type: index, symbol: B, exchange: X, name: A}"): "49: watchlist[1].name: "
    '"A" is already the name of watchlist[0] on line 2; give one of the two another name',
    ("{con_id: 1, name: A}", "{type: crypto, symbol: A}"): "28: watchlist[1].symbol: "
    '"A" is already the name of watchlist[0] on line 2; give one of the two another name',
    ("{con_id: 1}", "{con_id: 1, streams: [bars]}"): "5: watchlist[1]: "
    "the same contract as watchlist[0] on line 2; give one of the two a name",
    (f"{OPTION}}}", f"{OPTION}, exchange: SMART}}"): "5: watchlist[1]: "
    "the same contract as watchlist[0] on line 2; give one of the two a name",
    ("{type: bond, isin: US03076KAA60}", "{type: bond, isin: US03076KAA60}"): "24: watchlist[1].isin: "
    '"US03076KAA60" is already the name of watchlist[0] on line 2; give one of the two another name',
}


@pytest.mark.parametrize(("first", "second"), TWINS)
def test_two_lines_under_one_name_are_told_with_the_line_of_the_first(tmp_path, first, second):
    assert [f"3:{TWINS[first, second]}"] == said(tmp_path, f"watchlist:\n  - {first}\n  - {second}\n")


def test_the_same_contract_under_two_names_is_two_recordings(tmp_path):
    config = load(written(tmp_path, "watchlist: [{con_id: 1}, {con_id: 1, name: A}, {con_id: 1, name: B}]"))
    assert [None, "A", "B"] == [line.label for line in config.watchlist]


def test_lines_that_miss_the_same_are_not_taken_for_one_contract(tmp_path):
    entry = '{type: future, symbol: ES, expiry: "202612"}'
    keys = [line.split(": ")[1] for line in said(tmp_path, f"watchlist: [{entry}, {entry}]")]
    assert ["watchlist[0].exchange", "watchlist[1].exchange"] == keys


def test_all_problems_of_a_file_are_told_at_once_in_file_order(tmp_path):
    content = """\
gateway:
  port: 0
  prot: 1
storage: {retain_days: x}
streams: [levl1]
watchlist:
  - {type: option, symbol: 0700, right: X, streams: [trades, {depth: {rows: 0}}]}
  - {type: forex, symbol: EUR/USD}
  - {type: stock, symbol: "0700"}
  - {type: stock, symbol: "0700"}
more: 1
"""
    places = [line.split(": ")[:2] for line in said(tmp_path, content)]
    assert [
        ["2:9", "gateway.port"],
        ["3:3", "gateway.prot"],
        ["4:24", "storage.retain_days"],
        ["5:11", "streams[0]"],
        ["7:5", "watchlist[0].expiry"],
        ["7:5", "watchlist[0].strike"],
        ["7:28", "watchlist[0].symbol"],
        ["7:41", "watchlist[0].right"],
        ["7:54", "watchlist[0].streams[0]"],
        ["7:77", "watchlist[0].streams[1].depth.rows"],
        ["8:27", "watchlist[1].symbol"],
        ["10:27", "watchlist[3].symbol"],
        ["11:1", "more"],
    ] == places


def test_no_and_on_are_tickers(tmp_path):
    entries = ", ".join(f"{{type: stock, symbol: {ticker}}}" for ticker in ("NO", "ON", "OFF", "Y", "yes"))
    config = load(written(tmp_path, f"watchlist: [{entries}]"))
    assert ["NO", "ON", "OFF", "Y", "yes"] == [line.symbol for line in config.watchlist]


def test_no_in_yaml_1_1_is_refused_as_a_boolean(tmp_path):
    content = f"%YAML 1.1\n---\n{line_of('{type: stock, symbol: NO}')}"
    assert ['4:27: watchlist[0].symbol: is a boolean to YAML; quote this: "NO"'] == said(tmp_path, content)


def test_a_section_with_all_keys_commented_out_is_its_defaults(tmp_path):
    with_empty = load(written(tmp_path, f"gateway:\n  # port: 1\nstorage:\nstatus:\n{FINE}"))
    assert load(written(tmp_path, FINE)) == with_empty


def test_null_turns_the_status_page_off_and_keeps_all_days(tmp_path):
    config = load(written(tmp_path, f"status: {{listen: null}}\nstorage: {{retain_days: null}}\n{FINE}"))
    assert (None, None) == (config.status.listen, config.storage.retain_days)


def test_the_root_is_relative_to_the_config_file(tmp_path, monkeypatch):
    (tmp_path / "etc").mkdir()
    written(tmp_path / "etc", f"storage: {{root: ticks}}\n{FINE}")
    monkeypatch.chdir(tmp_path)
    assert tmp_path / "etc" / "ticks" == load("etc/c.yaml").storage.root


def test_an_absolute_root_stays_where_it_is(tmp_path):
    assert (
        Path("/srv/ticks") == load(written(tmp_path, f"storage: {{root: /srv/ticks}}\n{FINE}")).storage.root
    )


def test_an_anchor_can_be_named_anew(tmp_path):
    entries = "[{type: stock, symbol: &a A}, {type: stock, symbol: &a B}]"
    config = load(written(tmp_path, f"watchlist: {entries}"))
    assert ["A", "B"] == [line.symbol for line in config.watchlist]


def test_a_byte_order_mark_takes_no_column(tmp_path):
    places = [line.split(": ")[0] for line in said(tmp_path, f"zzz: 1\n{FINE}".encode("utf-8-sig"))]
    assert ["1:1"] == places


def test_an_anchor_can_be_used_again(tmp_path):
    content = "streams: &s [level1, bars]\nwatchlist: [{type: stock, symbol: A, streams: *s}]"
    config = load(written(tmp_path, content))
    assert config.streams == config.watchlist[0].streams


def test_anchors_piled_up_to_billions_of_values_are_told_at_once(tmp_path):
    levels = [f"&a{n} [{f'*a{n - 1}, ' * 10}]" for n in range(1, 12)]
    content = f"gateway: {{port: [&a0 [x], {', '.join(levels)}]}}\nwatchlist: [{{con_id: *a11}}]"
    assert ["gateway.port", "watchlist[0].con_id"] == [
        line.split(": ")[1] for line in said(tmp_path, content)
    ]


BARE = {
    "{type: stock, symbol: A}": ("TRADES", True),
    "{type: stock, symbol: A, exchange: ISLAND}": ("TRADES", False),
    "{type: forex, symbol: EURUSD}": ("MIDPOINT", False),
    "{type: cfd, symbol: IBUS30}": ("MIDPOINT", True),
    "{type: crypto, symbol: BTC}": ("MIDPOINT", False),
    "{type: continuous_future, symbol: ES, exchange: CME}": ("TRADES", False),
    "{con_id: 1}": ("TRADES", True),
}


@pytest.mark.parametrize("entry", BARE)
def test_bare_streams_become_what_the_contract_makes_of_them(tmp_path, entry):
    config = load(written(tmp_path, f"streams: [bars, depth]\nwatchlist: [{entry}]"))
    bars, depth = config.watchlist[0].streams
    assert BARE[entry] == (bars.show, depth.smart)


def test_what_is_said_of_a_stream_stays(tmp_path):
    streams = "[{bars: {show: ASK}}, {depth: {smart: true}}]"
    config = load(written(tmp_path, line_of(f"{{type: forex, symbol: EURUSD, streams: {streams}}}")))
    bars, depth = config.watchlist[0].streams
    assert ("ASK", True) == (bars.show, depth.smart)


OFFERED = [
    "{type: index, symbol: X, exchange: CME, streams: [trades, quotes, midpoints]}",
    "{type: crypto, symbol: BTC, streams: [trades, quotes, midpoints, depth, {bars: {show: TRADES}}]}",
    "{type: cfd, symbol: IBUS30, streams: [quotes, midpoints, depth, bars]}",
    "{type: bond, isin: US03076KAA60, streams: [trades, quotes, midpoints, depth, bars]}",
    "{con_id: 1, streams: [level1, trades, quotes, midpoints, depth, bars]}",
    f"{OPTION}, streams: [level1, depth, bars]}}",
]


@pytest.mark.parametrize("entry", OFFERED)
def test_what_ib_may_offer_is_not_refused(tmp_path, entry):
    assert len(load(written(tmp_path, line_of(entry))).watchlist) == 1


def test_what_the_sample_says_above_its_watchlist_is_the_default(tmp_path):
    sample, bare = load(SAMPLE), load(written(tmp_path, FINE))
    same = {"gateway", "status", "streams"}
    assert bare.model_dump(include=same) == sample.model_dump(include=same)
    assert bare.storage.model_dump(exclude={"root"}) == sample.storage.model_dump(exclude={"root"})
    assert "data" == bare.storage.root.name == sample.storage.root.name


def test_the_sample_has_every_type_and_every_stream():
    config = load(SAMPLE)
    assert {
        "stock", "forex", "cfd", "future", "continuous_future", "option", "index", "crypto", "bond", None,
    } == {line.type for line in config.watchlist}  # fmt: skip
    streams = [stream for line in config.watchlist for stream in line.streams]
    assert {"level1", "trades", "quotes", "midpoints", "depth", "bars"} == {stream.kind for stream in streams}
    assert {True, False} == {stream.smart for stream in streams if stream.kind == "depth"}
    assert {True, False} == {stream.only_reportable for stream in streams if stream.kind == "trades"}


@pytest.mark.parametrize("nothing", ["null", "~"])
def test_status_null_is_told_what_turns_the_page_off(tmp_path, nothing):
    expected = "1:9: status: is null, which leaves the page on; to turn it off write {listen: null}"
    assert [expected] == said(tmp_path, f"status: {nothing}\n{FINE}")
    assert load(written(tmp_path, f"status:\n{FINE}")).status.listen


@pytest.mark.parametrize(
    ("content", "root", "listen"),
    [
        ("storage: {root: d}\nstatus: {listen: 127.0.0.1:1}\nwatchlist: [{}]\n", "d", "127.0.0.1:1"),
        ("storage: {rot: d}\nstatus: {listen: null}\n", None, None),
        ("status: {listen: 5}\nwatchlist: 3\n", "data", "wrong"),
        ("- [", None, "wrong"),
        ("- 1", None, "wrong"),
    ],
)
def test_what_of_a_wrong_file_is_right_is_known(tmp_path, content, root, listen):
    storage, status = known(written(tmp_path, content))
    assert (root and tmp_path / root) == (storage and storage.root)
    assert listen == (status.listen if status else "wrong")
