"""``ib-recorder coverage`` as a user types it, over a journal as a running recorder leaves it."""

import asyncio
import json
import re
import signal
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from daemon import python, run, start, until, write_config
from PIL import Image
from scripted import scripted
from tape import NOON, Tape

from recorder.cli.coverage_report import Line, duration, report
from recorder.journal import folder
from recorder.wire.layouts import TICK_PRICE

FARM = {"reason": "farm", "code": 2103}


def ran(*command):
    return asyncio.run(run(*map(str, command)))


class Story(Tape):
    """A tape on which things happen at a second of the recording."""

    def at(self, second, kind, **more):
        self.ts = NOON + second * 1_000_000 - 1000
        self.control(kind, **more)

    def begin(self, second, symbol, stream, reason, code=None):
        own = {"symbol": symbol, "stream": stream, "reason": reason, "text": reason, "code": code}
        self.at(second, "gap_start", **own, ts_start=NOON + second * 1_000_000, seq_start=self.seq - 1)

    def end(self, second, symbol, stream):
        gap = self.state.gaps[symbol, stream]
        own = {
            name: getattr(gap, name)
            for name in ("symbol", "stream", "reason", "code", "ts_start", "seq_start")
        }
        self.at(second, "gap_end", text=gap.reason, ts_end=NOON + second * 1_000_000, seq_end=self.seq, **own)


@pytest.fixture
def root(tmp_path):
    """Ten minutes from noon: AAPL's market opens at 12:02; MSFT is refused from 12:05 on."""
    story = Story(ts=NOON - 2000)
    story.at(0, "session_start")
    hours = {"symbol": "AAPL", "con_id": 1, "time_zone": "UTC", "trading_hours": "20261122:1202-2000"}
    story.at(0, "qualified", symbol="AAPL", instrument=hours)
    for req, (symbol, stream) in enumerate(
        [("AAPL", "level1"), ("EURUSD", "quotes"), ("IBM", "level1"), ("MSFT", "level1")]
    ):
        story.at(0, "subscribed", symbol=symbol, stream=stream, req=req, con_id=req, show="")
    story.begin(60, "AAPL", "level1", **FARM)
    story.begin(60, "EURUSD", "quotes", **FARM)
    story.end(180, "AAPL", "level1")
    story.end(190, "EURUSD", "quotes")
    story.begin(300, "MSFT", "level1", "refused", 354)
    story.at(600, "notice", text="all is well")
    root = tmp_path / "data"
    folder.create(root)
    folder.segment_path(root, 1).write_bytes(story.contents()[0])
    return root


def test_it_says_who_was_recorded_and_why_not(root):
    code, output, errors = ran("coverage", root)
    assert (0, "") == (code, errors)
    lines = output.splitlines()
    assert f"{root}: 2026-11-22 12:00:00 to 2026-11-22 12:10:00 UTC" == lines[0]
    row = {line.split()[0]: line for line in lines if "│ level1 │" in line or "│ quotes │" in line}
    assert ["AAPL", "EURUSD", "IBM", "MSFT"] == list(row)
    assert all(said in row["AAPL"] for said in ("87.50%", "2 min", "farm 1 min"))
    assert all(said in row["EURUSD"] for said in ("78.33%", "farm 2 min 10 s"))
    assert "100.00%" in row["IBM"]
    assert all(said in row["MSFT"] for said in ("50.00%", "refused 5 min open since 12:05:00"))
    assert [
        "12:01:00 │ 12:03:10   │ 2 min 10 s │ farm    │ 2103 │ EURUSD quotes",
        "12:02:00 │ 12:03:00   │      1 min │ farm    │ 2103 │ AAPL level1",
        "12:05:00 │ still open │      5 min │ refused │  354 │ MSFT level1",
    ] == [line.rstrip() for line in lines if line.startswith("12:0")]
    assert "no recorder runs; the last sign of life was 2026-11-22 12:10:00 UTC" == lines[1]
    # asked for: 8 min of AAPL, whose market was closed for two, and 10 min of each of the others
    missing = "missing: 21.5 % of what was asked for (8 min 10 s over 3 streams), most of it: refused"
    assert f"3 of 4 lines had holes; {missing}" == lines[-1]


def test_a_machine_reads_the_same(root):
    code, output, errors = ran("coverage", root, "--format", "json", "--date", "2026-11-22")
    assert (0, "") == (code, errors)
    told = json.loads(output)
    assert ("2026-11-22T12:00:00+00:00", "2026-11-22T12:10:00+00:00") == (told["begin"], told["end"])
    assert (False, "2026-11-22T12:10:00+00:00") == (told["running"], told["until"])
    summary = told["summary"]
    assert (4, 3, 490.0) == (summary["lines"], summary["lines_with_holes"], summary["missing_seconds"])
    assert {"refused": 300.0, "farm": 190.0} == summary["by_cause"]
    aapl, eurusd, ibm, msft = told["streams"]
    names = ("recorded_seconds", "gap_seconds", "closed_seconds", "missing_seconds", "recorded_share")
    assert [480.0, 120.0, 120.0, 60.0, 0.875] == [aapl[name] for name in names]
    assert [470.0, 130.0, 0.0, 130.0] == [eurusd[name] for name in names[:-1]]
    assert ({}, {"refused": 300.0}) == (ibm["missing"], msft["missing"])
    assert (None, "2026-11-22T12:05:00+00:00") == (ibm["open_gap"], msft["open_gap"])
    stretches = [
        (one["symbol"], one["what"], one["begin"][14:19], one["end"][14:19]) for one in told["stretches"]
    ]
    assert [
        ("AAPL", "closed", "00:00", "02:00"),
        ("AAPL", "gap", "02:00", "03:00"),
        ("AAPL", "recorded", "03:00", "10:00"),
        ("EURUSD", "recorded", "00:00", "01:00"),
        ("EURUSD", "gap", "01:00", "03:10"),
        ("EURUSD", "recorded", "03:10", "10:00"),
        ("IBM", "recorded", "00:00", "10:00"),
        ("MSFT", "recorded", "00:00", "05:00"),
        ("MSFT", "gap", "05:00", "10:00"),
    ] == stretches
    assert [("farm", 2103, False), ("farm", 2103, False), ("refused", 354, True)] == [
        (one["reason"], one["code"], one["open"]) for one in told["stretches"] if one["what"] == "gap"
    ]


def bars(pixels, colour):
    """Where a colour stands in a row of the picture: top of the row, first and last column."""
    found = np.all(pixels == colour, axis=2)
    rows = np.flatnonzero(found.any(axis=1))
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    tall = [run for run in runs if len(run) > 20]  # what is thinner is in the legend
    columns = [np.flatnonzero(found[run].mean(axis=0) > 0.5) for run in tall]  # no edge of a letter
    return [(run[0], at[0], at[-1]) for run, at in zip(tall, columns, strict=True)]


def test_the_picture_shows_each_line_and_each_cause(root, tmp_path):
    file = tmp_path / "picture.png"
    code, output, errors = ran("coverage", root, "--png", file)
    assert (0, f"the picture is in {file}\n") == (code, errors)
    assert "3 of 4 lines" in output
    with Image.open(file) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    recorded, closed, farm, refused = (
        bars(pixels, colour) for colour in [(90, 161, 127), (220, 220, 220), (142, 68, 173), (52, 73, 94)]
    )
    aapl, eurusd, _, msft = (top for top, _, _ in recorded)
    assert ([aapl], [aapl, eurusd], [msft]) == tuple(
        [bar[0] for bar in kind] for kind in (closed, farm, refused)
    )
    _, begin, end = recorded[2]  # IBM is recorded all the time
    parts = [(at - begin) / (end - begin) for bar in (*closed, *farm, *refused) for at in bar[1:]]
    expected = [0, 120, 120, 180, 60, 190, 300, 600]
    assert [second / 600 for second in expected] == pytest.approx(parts, abs=0.003)


def test_nothing_is_drawn_unless_asked(root):
    code = (
        "import sys, pathlib; from recorder.cli.coverage import coverage;"
        f"coverage(pathlib.Path({str(root)!r}), None, as_json=True, png=None);"
        "assert 'matplotlib' not in sys.modules"
    )
    code, _, errors = asyncio.run(python(code, "/"))
    assert (0, "") == (code, errors)


def test_an_empty_recording_is_told_and_drawn(tmp_path):
    folder.create(tmp_path / "data")
    code, output, _ = ran("coverage", tmp_path / "data", "--png", tmp_path / "empty.png")
    assert (0, "nothing was recorded\n") == (code, output)
    with Image.open(tmp_path / "empty.png") as picture:
        assert picture.width > 1000
    told = json.loads(ran("coverage", tmp_path / "data", "--format", "json")[1])
    assert (None, [], []) == (told["begin"], told["streams"], told["stretches"])


def test_a_day_on_which_nothing_was_recorded_says_so(root):
    output = ran("coverage", root, "--date", "2026-11-21")[1]
    assert "2026-11-21: nothing was recorded" == output.splitlines()[-1]


@pytest.mark.parametrize("date", ["tomorrow", "2026-13-01"])
def test_a_bad_date_is_one_line_and_exit_2(root, date):
    code, output, errors = ran("coverage", root, "--date", date)
    assert (2, "", f"--date {date}: no date; write 2026-11-22\n") == (code, output, errors)


def test_a_folder_that_is_no_recording_is_one_line_and_exit_1(tmp_path):
    code, output, errors = ran("coverage", tmp_path)
    assert (1, "", 1) == (code, output, len(errors.splitlines()))
    assert errors.startswith(f"{tmp_path}: ")
    assert "Traceback" not in errors


def test_a_picture_that_cannot_be_written_is_one_line(root, tmp_path):
    code, output, errors = ran("coverage", root, "--png", tmp_path / "none" / "picture.png")
    assert (1, "", f"{tmp_path}/none/picture.png: No such file or directory\n") == (code, output, errors)
    code, output, errors = ran("coverage", root, "--png", tmp_path / "picture.jpg")
    advice = f"--png {tmp_path}/picture.jpg: a PNG is drawn; write {tmp_path}/picture.png\n"
    assert (2, "", advice) == (code, output, errors)
    assert not (tmp_path / "picture.jpg").exists()


def test_the_table_is_as_wide_as_columns_says(root, monkeypatch):
    widths = []
    for columns in ("70", "200", ""):
        monkeypatch.setenv("COLUMNS", columns)
        lines = ran("coverage", root)[1].splitlines()
        widths.append(max(len(line.rstrip()) for line in lines if "│" in line))
    assert widths[0] <= 70 < widths[1] == widths[2]


async def one_price(conversation, req, _fields):
    conversation.send(TICK_PRICE.encode(req, {"tick_type": 1, "price": 5.0, "size": 1, "attribs": 1}))


def test_it_works_while_the_recorder_runs(tmp_path):
    async def story():
        async with scripted(one_price) as gateway:
            config = write_config(tmp_path, gateway.port, "{type: stock, symbol: AAPL}")
            daemon = await start("run", str(config))
            await until(lambda: gateway.conversations and gateway.conversations[0].asked)
            await asyncio.sleep(0.3)
            answer = await run("coverage", str(tmp_path / "data"))
            daemon.send_signal(signal.SIGTERM)
            await daemon.communicate()
            return answer

    code, output, errors = asyncio.run(story())
    assert (0, "") == (code, errors)
    assert "AAPL" in output
    assert "nothing is missing of 1 line" == output.splitlines()[-1]


def missing(second, symbol, stream="level1", reason="farm", length=10.0, **own):
    begin = datetime(2026, 11, 22, 12, tzinfo=UTC) + timedelta(seconds=second)
    row = {"symbol": symbol, "stream": stream, "begin": begin, "end": begin + timedelta(seconds=length)}
    return row | {"what": "gap", "reason": reason, "code": None, "open": False} | own


def test_what_one_outage_took_is_one_hole():
    stretches = [
        missing(0, "A", length=30),
        missing(0.4, "A", "trades"),
        missing(0.9, "B"),
        missing(0.9, "B", reason="restart"),
        missing(1.0, "C"),
        *(missing(60 + n / 100, f"S{n}", stream) for n in range(9) for stream in ("quotes", "trades")),
    ]
    assert [
        (30.0, "farm", "A level1, A trades, B level1", True),
        (10.0, "restart", "B level1", False),
        (10.0, "farm", "C level1", False),
        (10.08, "farm", "18 streams of 9 lines", False),
    ] == [(hole.seconds, hole.reason, hole.who(), hole.differ) for hole in report([], stretches).holes]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, ""),
        (0.04, "0.04 s"),
        (0.96, "1 s"),
        (59.4, "59 s"),
        (724, "12 min 4 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (90_000, "1 d 1 h"),
        (12_345_678, "142 d 21 h"),
    ],
)
def test_a_length_is_said_in_its_two_largest_units(seconds, said):
    assert said == duration(seconds)


def row(**seconds):
    named = dict.fromkeys(("recorded_seconds", "gap_seconds", "closed_seconds", "missing_seconds"), 0.0)
    return {"symbol": "A", "stream": "level1", "removed": None} | named | seconds


@pytest.mark.parametrize(
    ("seconds", "share"),
    [
        ({"recorded_seconds": 90.0, "gap_seconds": 10.0, "missing_seconds": 10.0}, 0.9),
        (
            {"recorded_seconds": 90.0, "gap_seconds": 10.0, "closed_seconds": 60.0, "missing_seconds": 10.0},
            0.75,
        ),
        ({"recorded_seconds": 90.0, "gap_seconds": 10.0, "closed_seconds": 100.0}, None),
        ({"gap_seconds": 10.0, "missing_seconds": 10.0}, 0.0),
        ({}, None),
    ],
)
def test_the_share_is_of_the_time_that_the_market_was_not_closed(seconds, share):
    assert share == Line(row(**seconds), {}).share


@pytest.mark.parametrize(
    ("missing_seconds", "said"),
    [(0.5, "less than 0.1 %"), (23.0, "2.3 %"), (999.9, "more than 99.9 %"), (1000.0, "100.0 %")],
)
def test_what_is_missing_is_said_of_what_was_asked_for(missing_seconds, said):
    own = {"recorded_seconds": 1000.0 - missing_seconds, "gap_seconds": missing_seconds}
    found = report([row(**own, missing_seconds=missing_seconds)], [missing(0, "A", length=missing_seconds)])
    length = f"({duration(missing_seconds)} over 1 stream)"
    expected = f"1 of 1 line had holes; missing: {said} of what was asked for {length}, all of it: farm"
    assert expected == found.words()


def test_what_was_removed_is_in_no_sum():
    rows = [row(recorded_seconds=90.0), row(gap_seconds=10.0, missing_seconds=10.0) | {"symbol": "B"}]
    rows[1]["removed"] = datetime(2026, 11, 22, 13, tzinfo=UTC)
    found = report(rows, [missing(0, "B")])
    assert ("nothing is missing of 1 line", 90.0, 1) == (found.words(), found.asked_seconds, len(found.holes))


def test_what_an_outage_took_for_different_times_and_what_was_filled_later_is_said(tmp_path):
    story = Story(ts=NOON - 2000)
    for req, symbol in enumerate(("A", "B", "C")):
        story.at(0, "subscribed", symbol=symbol, stream="trades", req=req, con_id=req, show="")
        story.begin(60, symbol, "trades", **FARM)
    seq_start = story.state.gaps["A", "trades"].seq_start
    story.end(90, "A", "trades")
    story.end(90, "B", "trades")
    story.end(180, "C", "trades")
    cursor = (NOON + 90_000_000) // 1_000_000
    more = {"seq_start": seq_start, "cursor": cursor, "done": True, "ticks": [], "trade_kind": "all_last"}
    story.at(300, "backfill", symbol="A", stream="trades", con_id=0, **more, text="filled whole")
    root = tmp_path / "data"
    folder.create(root)
    folder.segment_path(root, 1).write_bytes(story.contents()[0])
    lines = ran("coverage", root)[1].splitlines()
    cells = [[cell.strip() for cell in re.split("[│┃]", line)] for line in lines if re.search("[│┃]", line)]
    assert ["line", "stream", "recorded", "closed", "filled later", "missing"] == cells[0]
    assert [["30 s", ""], ["-", "farm 30 s"], ["-", "farm 2 min"]] == [row[-2:] for row in cells[1:4]]
    expected = ["12:01:00", "up to 12:03:00", "up to 2 min", "farm", "2103", "B trades, C trades"]
    assert expected == cells[-1]


def test_a_recorder_that_is_cut_off_is_missing_everything_up_to_now(tmp_path):
    async def story():
        async with scripted(one_price) as gateway:
            config = write_config(tmp_path, gateway.port, "{type: stock, symbol: AAPL}")
            daemon = await start("run", str(config))
            await until(lambda: gateway.conversations and gateway.conversations[0].asked)
            await asyncio.sleep(0.3)
        await asyncio.sleep(3)  # nobody is there any more
        before = datetime.now(UTC)
        answer = await run("coverage", str(tmp_path / "data"), "--format", "json")
        text = await run("coverage", str(tmp_path / "data"))
        daemon.kill()
        await daemon.communicate()
        return before, answer, text, await run("coverage", str(tmp_path / "data"))

    before, (_, output, _), (_, text, _), (_, dead, _) = asyncio.run(story())
    told = json.loads(output)
    assert told["running"]
    assert datetime.fromisoformat(told["until"]) >= before
    assert 2.5 < told["streams"][0]["missing_seconds"] < 30
    assert told["until"] == told["stretches"][-1]["end"]
    assert "no recorder runs" not in text
    assert "no recorder runs; the last sign of life was " in dead
