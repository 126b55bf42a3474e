"""What the running recorder shows of itself while neither disk nor memory has room for what comes."""

import asyncio
import json
import re
import resource
from contextlib import asynccontextmanager, contextmanager

import pytest
from board import free_port, get, impatient, told
from daemon import run, table
from numbered import numbered

from recorder.wire.layouts import TICK_STRING

PADDING = "x" * 1500
CONFIG = """\
gateway: {{port: {gateway}, reconnect_min_seconds: 0.1}}
storage: {{root: data, spare_megabytes: 0, memory_megabytes: 32, archive_days: 0}}
status: {{listen: "127.0.0.1:{page}"}}
watchlist: [{{type: stock, symbol: AAPL}}, {{type: stock, symbol: MSFT}}]
"""
STREAMS = [("AAPL", "level1"), ("MSFT", "level1")]


def padded(req, number):
    return TICK_STRING.encode(req, {"tick_type": 45, "text": f"{number} {PADDING}"})


@contextmanager
def no_room(process):
    """Its files may grow no more; what it logs goes into a pipe."""
    limits = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)


@asynccontextmanager
async def flooded(folder):
    """A recorder of two lines whose memory a gateway fills in some seconds."""
    page, config = free_port(), folder / "config.yaml"
    async with numbered(0.002, padded) as (gateway, _):
        config.write_text(CONFIG.format(gateway=gateway.port, page=page))
        async with impatient(config) as (process, said):
            yield config, process, page, said


def gap_samples(metrics):
    return dict(re.findall(r'^ib_recorder_gaps_open\{reason="(\w+)"\} (\d+)$', metrics, re.MULTILINE))


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """All that is shown before, while reads are left out, and when there is room again."""
    folder = tmp_path_factory.mktemp("full")

    async def shown(config, page):
        paths = ("/", "/metrics", "/healthz", "/status.json")
        return {path: (await get(page, path))[1] for path in paths} | {
            "status": (await run("status", str(config)))[1]
        }

    async def story():
        async with flooded(folder) as (config, process, page, said):
            await told(page, lambda found: found["recording"] == 2 and not found["gaps"])
            before = await shown(config, page)
            with no_room(process):
                await told(page, lambda found: "nothing is recorded" in (found["disk_trouble"] or ""))
                during = await shown(config, page)
            await told(page, lambda found: found["recording"] == 2 and found["disk_trouble"] is None)
            after = await shown(config, page)
        return before, during, after, [json.loads(line) for line in said if line.startswith("{")]

    return *asyncio.run(story()), folder


def test_every_subscribed_stream_has_an_open_gap_while_reads_are_left_out(full):
    before, during, after, _, folder = full
    assert [0, 2, 0] == [len(json.loads(seen["/status.json"])["gaps"]) for seen in (before, during, after)]
    open_gaps = json.loads(during["/status.json"])["gaps"]
    assert [(*stream, "overflow") for stream in STREAMS] == [
        (gap["line"], gap["stream"], gap["reason"]) for gap in open_gaps
    ]
    assert {"overflow": "2"} == gap_samples(during["/metrics"])
    assert {} == gap_samples(before["/metrics"]) == gap_samples(after["/metrics"])
    assert "Gaps open: 2" in during["/"]
    assert ["gaps open: 0", "gaps open: 2", "gaps open: 0"] == [
        re.search("gaps open: .*", seen["status"])[0] for seen in (before, during, after)
    ]
    written = table(folder / "data", "gaps")
    written = written[written["reason"] == "overflow"].sort_values("symbol")
    begun = [moment.isoformat(timespec="milliseconds") for moment in written["ts_start"]]
    assert [gap["since"] for gap in open_gaps] == begun  # what was shown is what the files say then


def test_what_is_left_out_is_counted(full):
    before, during, after, _, _ = full
    assert [None, None] == [json.loads(seen["/status.json"])["overflow"] for seen in (before, after)]
    found = json.loads(during["/status.json"])
    assert found["overflow"]["since"] >= found["gaps"][0]["since"]
    assert found["overflow"]["bytes"] > len(PADDING)
    assert float(re.search(r"^ib_recorder_overflow_bytes (.*)$", during["/metrics"], re.MULTILINE)[1]) > 0
    assert all("ib_recorder_overflow_bytes 0\n" in seen["/metrics"] for seen in (before, after))
    assert re.search(r"nothing is recorded since \d\d:\d\d UTC: [\d,]+ bytes left out", during["status"])


def test_no_stream_counts_as_recorded_while_reads_are_left_out(full):
    before, during, after, _, _ = full
    assert [2, 0, 2] == [json.loads(seen["/status.json"])["recording"] for seen in (before, during, after)]
    each = json.loads(during["/status.json"])["each"]
    assert [("waiting", "neither disk nor memory has room for its ticks")] * 2 == [
        (one["state"], one["why"]) for one in each
    ]
    assert 'ib_recorder_streams{state="recording"} 0\n' in during["/metrics"]
    assert 'ib_recorder_streams{state="waiting"} 2\n' in during["/metrics"]
    assert "<h2>Not recorded: 2 of 2</h2>" in during["/"]
    assert "<b>all</b>: neither disk nor memory has room for its ticks, since " in during["/"]


def test_the_tab_shows_the_trouble(full):
    before, during, after, _, _ = full
    titles = [
        re.search("<title>(.*) - ib-recorder</title>", seen["/"])[1] for seen in (before, during, after)
    ]
    assert ["ok", "ok"] == titles[::2]
    assert titles[1].startswith("the disk fails (File too large) since ")


def test_the_log_says_of_each_state_what_it_means_for_what_is_recorded(full):
    *_, said, _ = full
    events = [line["event"] for line in said if line["logger"] == "recorder.journal"]
    first = [
        "what is recorded now is in memory alone",
        "nothing is recorded: neither disk nor memory has room",
    ]
    assert first == events[:2]
    assert "the journal is whole on disk again" == events[-1]
