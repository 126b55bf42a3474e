"""What users hold on to: ranges, lines, engines, dtypes, refusals."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import recorder
from recorder import schema
from recorder.reader.moments import Span, moment


def tick(seq, stamp="10:00", **own):
    return {"ts_recv": stamp, "seq": seq, "tick_type": 1, "field": "bid", "price": 1.0, "size": 1.0} | own


def known(symbol, seq):
    return {
        "ts_recv": "2026-11-22 00:00",
        "seq": seq,
        "kind": "subscribed",
        "symbol": symbol,
        "stream": "level1",
    }


@pytest.fixture
def db(tape):
    days = [tick(n, f"2026-11-{20 + n} 12:00") for n in (1, 2, 3)]
    tape.write("level1", days)
    tape.write("level1", [tick(4, "2026-11-22 12:00:01")], symbol="MSFT")
    tape.write("events", [known("AAPL", 10), known("MSFT", 11), known("QUIET", 12)], symbol=None)
    return recorder.open(tape.root)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, [1, 2, 3]),
        ("2026-11-22", "2026-11-23", [2]),
        ("2026-11-22 12:00", None, [2, 3]),  # the start is included
        (None, "2026-11-22 12:00", [1]),  # the end is not
        (date(2026, 11, 23), None, [3]),
        (datetime(2026, 11, 22, 13, tzinfo=timezone(timedelta(hours=1))), "2026-11-23", [2]),
        (datetime(2026, 11, 22, 12), "2026-11-23", [2]),  # noqa: DTZ001 - naive is UTC
        (pd.Timestamp("2026-11-22 12:00:00.000000001"), "2026-11-23", [2]),
        (np.datetime64("2026-11-23"), None, [3]),
        ("2026-11-22T12:00:00Z", "2026-11-22T13:00:01+01:00", [2]),
        ("2027-01-01", None, []),
    ],
)
def test_a_range_includes_its_start_and_excludes_its_end(db, start, end, expected):
    assert expected == db.level1("AAPL", start=start, end=end)["seq"].tolist()


@pytest.mark.parametrize("wrong", ["yesterday", "22.11.2026", "", pd.NaT])
def test_a_text_that_is_no_time_is_refused(db, wrong):
    with pytest.raises(ValueError, match="no time"):
        db.level1("AAPL", start=wrong)


def test_a_number_is_no_time():
    with pytest.raises(TypeError, match="no time"):
        moment(20261122)


def test_a_range_that_ends_before_it_starts_is_refused(db):
    with pytest.raises(ValueError, match="lies behind"):
        db.level1("AAPL", start="2026-11-23", end="2026-11-22")


def test_a_span_touches_the_days_it_holds_a_moment_of():
    span = Span.of("2026-11-22", "2026-11-23")
    assert [False, True, False] == [span.touches(date(2026, 11, day)) for day in (21, 22, 23)]


def test_one_line_several_or_all(db):
    assert [1, 2, 3, 4] == db.level1()["seq"].tolist()
    assert [1, 2, 3, 4] == db.level1(["MSFT", "AAPL"])["seq"].tolist()
    assert [4] == db.level1(("MSFT",))["seq"].tolist()
    assert [] == db.level1([])["seq"].tolist()
    assert ["AAPL", "MSFT", "QUIET"] == db.symbols()
    assert list(schema.TABLES) == db.tables()


@pytest.mark.parametrize("ask", ["level1", "quotes", "trades", "bars", "book", "greeks"])
def test_an_unknown_line_is_refused_and_near_ones_named(db, ask):
    with pytest.raises(recorder.UnknownSymbol, match="no line 'APPL' in this recording; did you mean 'AAPL'"):
        getattr(db, ask)("APPL")


def test_an_unknown_line_like_none_is_answered_with_those_there_are(db):
    with pytest.raises(ValueError, match="it has AAPL, MSFT, QUIET"):
        db.level1(["AAPL", "XXX"])


def test_a_line_known_only_by_its_rows_is_known(tape):
    tape.write("level1", [tick(1)])
    assert 0 == len(recorder.open(tape.root).greeks("AAPL"))


def test_a_known_line_without_rows_gives_an_empty_frame_of_the_same_dtypes(db):
    full, empty = db.level1("AAPL"), db.level1("QUIET")
    assert (0, full.dtypes.to_dict()) == (len(empty), empty.dtypes.to_dict())
    for ask in ("quotes", "trades", "book"):
        assert 0 == len(getattr(db, ask)("QUIET"))
    assert 0 == len(db.bars("QUIET", "1min"))


@pytest.mark.parametrize("table", list(schema.TABLES))
def test_dtypes_are_those_of_the_column_whatever_the_rows_hold(tape, table):
    moments = {"ts_recv": "10:00", "ts_start": "10:00", "ts_end": "10:00"}
    names = schema.schema(table).names
    row = {name: moments[name] for name in moments if name in names}
    row |= {name: 1 for name in ("seq", "seq_start", "seq_end", "tick_type") if name in names}
    row |= {"operation": 3, "side": 0} if table == "depth" else {}
    row |= {"count": -1} if table == "bars" else {}
    tape.write(table, [row])
    db = recorder.open(tape.root)
    nulls, none = db.table(table), db.table(table, end="2000-01-01")
    assert (1, 0) == (len(nulls), len(none))
    assert nulls.dtypes.to_dict() == none.dtypes.to_dict()
    assert (
        pd.DatetimeTZDtype("us", "UTC") == nulls.dtypes.iloc[[n.startswith("ts_") for n in names].index(True)]
    )


def test_every_engine_gives_the_same_rows(db):
    names = ["ts_recv", "seq", "symbol", "price"]
    plain = db.level1(engine="pandas")
    assert isinstance(plain.index, pd.RangeIndex)
    assert isinstance(db.level1(engine="arrow"), pa.Table)
    assert isinstance(db.level1(engine="polars"), pl.DataFrame)
    rows = plain[names].to_dict("records")
    assert rows == db.level1(engine="arrow").select(names).to_pylist()
    assert rows == db.level1(engine="polars").select(names).to_dicts()


def test_an_unknown_engine_is_refused(db):
    with pytest.raises(ValueError, match="no engine 'dask'; there are 'pandas', 'arrow' and 'polars'"):
        db.level1(engine="dask")


def test_an_unknown_table_is_refused(db):
    with pytest.raises(ValueError, match="no table 'ticks'; there are level1, trades"):
        db.table("ticks")


def test_events_of_a_line_include_those_of_all(tape):
    told = [
        {"ts_recv": "10:00", "seq": n, "kind": "notice", "symbol": s} for n, s in enumerate(["A", None, "B"])
    ]
    tape.write("events", told)
    assert [0, 1] == recorder.open(tape.root).events("A")["seq"].tolist()


def gap(begin, end, seq, symbol="AAPL"):
    own = {"stream": "level1", "seq_start": seq, "seq_end": seq + 1, "reason": "farm", "symbol": symbol}
    return own | {"ts_start": begin, "ts_end": end}


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, [1, 3]),
        ("2026-11-22", "2026-11-23", [1]),  # filed under the 23rd, on which it closed
        ("2026-11-23 01:00", "2026-11-23 02:00", []),  # the first ends there, the second has not begun
        ("2026-11-23", None, [1, 3]),
    ],
)
def test_gaps_are_those_that_overlap_the_range(tape, start, end, expected):
    tape.write(
        "gaps",
        [gap("2026-11-22 23:00", "2026-11-23 01:00", 1), gap("2026-11-23 05:00", "2026-11-23 06:00", 3)],
    )
    assert expected == recorder.open(tape.root).gaps("AAPL", start=start, end=end)["seq_start"].tolist()


def test_files_of_other_days_are_not_even_opened(tape):
    tape.write("level1", [tick(n, f"2026-11-{20 + n} 12:00") for n in (1, 2, 3)])
    tape.write("events", [{"ts_recv": "2026-11-22 00:00", "seq": 4, "kind": "session_start"}])
    for path in [*tape.root.rglob("*11-21/*.parquet"), *tape.root.rglob("*11-23/*.parquet")]:
        path.write_bytes(b"garbage")
    db = recorder.open(tape.root)
    for ask in (db.level1, db.quotes):  # quotes look back, but not behind the begin of the session
        assert [2] == ask("AAPL", start="2026-11-22 06:00", end="2026-11-23")["seq"].tolist()


def test_sql_opens_only_the_days_it_asks_for(tape):
    tape.write(
        "level1", [tick(1, "2026-11-21 12:00"), tick(2, "2026-11-22 12:00"), tick(3, "2026-11-23 12:00")]
    )
    for path in [*tape.root.rglob("*11-22/*.parquet"), *tape.root.rglob("*11-23/*.parquet")]:
        path.write_bytes(b"garbage")
    found = recorder.open(tape.root).sql("select seq from level1 where date = '2026-11-21'")
    assert [1] == found["seq"].tolist()


def test_a_damaged_file_is_named_and_never_read_as_something_else(tape):
    (path,) = tape.write("level1", [tick(n, price=float(n)) for n in range(1, 2000)])
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(recorder.Damaged, match="ib-recorder verify"):
        recorder.open(tape.root).level1("AAPL")


@pytest.mark.parametrize(
    "content", [b"", lambda whole: whole[:-100], lambda whole: whole[:40] + bytes(99) + whole[139:]]
)
def test_sql_and_coverage_name_a_damaged_file_as_every_reader_does(tape, content):
    tape.write("events", [known("AAPL", 1)], symbol=None)
    tape.write("level1", [tick(seq) for seq in range(2, 400)])
    (path,) = tape.root.glob("level1/*/*.parquet")
    path.write_bytes(content(path.read_bytes()) if callable(content) else content)
    db = recorder.open(tape.root)
    for ask in (db.coverage, lambda: db.sql("select max(symbol), max(seq), max(ts_recv) from level1")):
        with pytest.raises(recorder.Damaged, match="ib-recorder verify"):
            ask()


def test_what_is_no_file_of_a_table_is_passed_over(tape):
    (path,) = tape.write("level1", [tick(1)])
    (path.parent / "notes.txt").write_text("mine")
    (path.parent.parent / "date=soon").mkdir()
    (path.parent.parent / ".DS_Store").write_text("")
    assert [1] == recorder.open(tape.root).level1()["seq"].tolist()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _root: None, "no such folder"),
        (lambda root: root.write_text(""), "a file"),
        (lambda root: root.mkdir(), "holds nothing"),
        (lambda root: (root / "photos").mkdir(parents=True), "holds photos; a recording has recording.json"),
    ],
)
def test_what_is_no_recording_is_said_with_what_is_there(tmp_path, make, message):
    make(tmp_path / "data")
    with pytest.raises(recorder.NotARecording, match=message):
        recorder.open(tmp_path / "data")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"format": 3}', "format 3; this version reads up to 2: update ib-recorder"),
        ('{"form": 1}', "says no format"),
        ('{"format": "new"}', "says no format"),
    ],
)
def test_a_format_that_cannot_be_read_is_refused(tape, content, message):
    (tape.root / "recording.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        recorder.open(str(tape.root))


@pytest.mark.parametrize("content", [None, b"", bytes(300), b'{"format": 2, "checksum": 1}'])
def test_tables_are_read_though_nothing_says_what_they_are(tape, content):
    tape.write("level1", [tick(1)])
    for path in (tape.root / "recording.json", tape.root / "journal" / "recording.json"):
        path.unlink(missing_ok=True)
        if content is not None:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
    assert 1 == len(recorder.open(tape.root).level1())


@pytest.mark.parametrize("content", [b"", b'{"format": 2, "checksum": 1}'])
def test_a_spoilt_recording_json_alone_is_no_recording(tmp_path, content):
    (tmp_path / "recording.json").write_bytes(content)
    with pytest.raises(
        recorder.NotARecording, match=r"cannot be read .* put a backup of the whole root back"
    ):
        recorder.open(tmp_path)


@pytest.mark.parametrize("name", ["level1", "journal"])
def test_tables_or_a_journal_alone_are_a_recording(tmp_path, name):
    (tmp_path / name).mkdir()
    assert 0 == len(recorder.open(tmp_path).level1())


def test_importing_the_package_loads_none_of_the_heavy_libraries():
    heavy = "('numpy', 'pandas', 'pyarrow', 'duckdb', 'polars')"
    code = f"import sys, recorder; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()


def test_a_recording_opens_without_polars_and_says_how_to_get_it(tape):
    tape.write("level1", [tick(1)])
    code = (
        "import sys; sys.modules['polars'] = None\n"
        "import recorder; db = recorder.open(sys.argv[1]); print(len(db.level1()))\n"
        "try: db.level1(engine='polars')\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tape.root)], capture_output=True, text=True, check=True
    )
    assert [
        "1",
        "engine='polars' needs Polars: pip install 'ib-recorder[polars]'",
    ] == done.stdout.splitlines()


def test_the_class_and_the_version_are_there_to_name(db):
    assert isinstance(db, recorder.Database)
    assert recorder.__version__
    assert repr(db).startswith("recorder.open(")
    with pytest.raises(AttributeError, match="no attribute 'database_'"):
        _ = recorder.database_


def test_sql_sees_every_table_with_its_day(db):
    found = db.sql("select date, count(*) as n from level1 group by date order by date")
    assert [(21, 1), (22, 2), (23, 1)] == [(day.day, n) for day, n in zip(found.date, found.n, strict=True)]
    assert 11 == len(db.sql("show tables"))
    moments = db.sql("select min(ts_recv) as first from level1", engine="arrow")["first"]
    assert datetime(2026, 11, 21, 12, tzinfo=UTC) == moments[0].as_py()


def test_sql_thinks_in_utc_wherever_it_runs(db):
    code = (
        "import sys, recorder; db = recorder.open(sys.argv[1])\n"
        "print(db.sql(\"select count(*) as n from level1 where ts_recv < '2026-11-22 12:00:01'\").n[0])\n"
    )
    called = [sys.executable, "-c", code, str(db.root)]
    west = {**os.environ, "TZ": "Pacific/Honolulu"}
    assert "2" == subprocess.run(called, capture_output=True, text=True, check=True, env=west).stdout.strip()


@pytest.mark.parametrize(
    "query",
    [
        "copy (select 1) to '{root}/level1/stolen.csv'",
        "create table mine as select 1",
        "select 1; select 2",
        "attach '{root}/x.db'",
        "set threads = 1",
        "",
    ],
)
def test_sql_that_does_more_than_read_is_refused(db, query):
    before = sorted(db.root.rglob("*"))
    with pytest.raises(ValueError, match="one SELECT a call"):
        db.sql(query.format(root=db.root))
    assert before == sorted(db.root.rglob("*"))


def test_sql_takes_a_folder_whose_name_means_something_to_a_shell(tmp_path, tape):
    tape.write("level1", [tick(1)])
    odd = tape.root.rename(tmp_path / "it's [a] *recording?* env=x")
    assert [1] == recorder.open(odd).sql("select seq from level1")["seq"].tolist()
    assert [1] == recorder.open(odd).level1()["seq"].tolist()


def test_reading_writes_nothing(db):
    before = {path: path.stat().st_mtime_ns for path in db.root.rglob("*")}
    db.level1(), db.quotes("AAPL"), db.bars("AAPL", "1min"), db.coverage(), db.sql("from level1")
    assert before == {path: path.stat().st_mtime_ns for path in db.root.rglob("*")}
