"""Files are there whole or not at all, named by what they hold, plain to any reader."""

import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tape import NOON, Tape, names, numbered

from recorder import partition, schema
from recorder.journal import folder
from recorder.render import publish as publish_module
from recorder.render import recover
from recorder.render.publish import PublishError, partitions, publish, write
from recorder.render.tables import render
from recorder.wire.layouts import frame

MIDNIGHT = NOON + 12 * 3600 * 1_000_000
LINES = {
    "MSFT": (3, "level1"),
    "AAPL": (4, "level1"),
    "ES": (5, "depth"),
    "INTC": (6, "trades"),
    "EUR": (8, "bars"),
}


def everything(ts=NOON):
    """A tape with rows in every table."""
    tape = Tape(ts=ts)
    tape.control("session_start", text="x")
    tape.open(**LINES)
    gap = {
        "symbol": "AAPL",
        "stream": "level1",
        "reason": "farm",
        "code": None,
        "ts_start": ts,
        "seq_start": 1,
    }
    tape.control("gap_end", **gap, ts_end=ts + 5, seq_end=2)
    tape.control("qualified", symbol="AAPL", instrument={"symbol": "AAPL", "con_id": 1004, "sec_type": "STK"})
    for number in range(40):
        tape.read(frame("1", "6", str(3 + number % 2), "1", str(number), "5", "1"))
    for req in ("3", "4"):
        tape.read(frame("21", req, "13", "0", "0.2", "0.5", "3", "0", "0.01", "0.1", "-0.1", "600"))
    tape.read(frame("12", "1", "5", "0", "0", "1", "6612.25", "3"))
    tape.read(frame("99", "6", "1", "1795000000", "36.5", "100", "0", "ARCA", ""))
    tape.read(frame("99", "6", "3", "1795000000", "36.5", "36.75", "1", "2", "0"))
    tape.read(frame("99", "6", "4", "1795000000", "36.5"))
    tape.read(frame("50", "3", "8", "1795000000", "1", "2", "0.5", "1.5", "-1", "-1", "-1"))
    tape.read(frame("200", "3", "what"))
    return tape


def written(root, tape, first=1):
    """The tape's segments as the journal of a recording."""
    folder.create(root)
    for index, content in enumerate(tape.contents(), first):
        folder.segment_path(root, index).write_bytes(content)
    return root


def files(root):
    return sorted(path.relative_to(root) for path in root.rglob("*.parquet"))


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def published(root):
    tape = everything()
    (done,) = recover(written(root, tape))
    return root, tape, done


def test_every_table_has_a_file_named_by_its_numbers_under_its_day(published):
    root, tape, done = published
    assert {path.parts[0] for path in files(root)} == set(schema.TABLES)
    found = tape.tables()
    for path in files(root):
        assert path.parts[1] == "date=2026-11-22"
        first, last = re.fullmatch(r"([0-9]{19})-([0-9]{19})-[0-9a-f]{8}\.parquet", path.name).groups()
        seqs = (
            [row["seq"] for row in found[path.parts[0]]]
            if path.parts[0] in schema.SEQUENCED
            else [1, tape.seq - 1]
        )
        assert (int(first), int(last)) == (min(seqs), max(seqs))
    assert sorted(file.path.relative_to(root) for file in done.files) == files(root)
    market = sum(len(found[table]) for table in schema.MARKET_TABLES)
    assert (done.rows, done.lost, sum(file.rows for file in done.files)) == (
        market, 0, sum(len(rows) for rows in found.values())
    )  # fmt: skip
    assert all(file.bytes == file.path.stat().st_size for file in done.files)


def test_a_file_holds_its_rows_sorted_by_symbol_and_number_in_plain_types(published):
    root, tape, _ = published
    found = tape.tables()
    for path in files(root):
        table = path.parts[0]
        back = pq.read_table(root / path, partitioning=None, page_checksum_verification=True)
        assert back.schema.remove_metadata() == schema.schema(table)
        rows = back.to_pylist()
        key = (
            (lambda row: (row["symbol"] or "", row["seq"]))
            if "seq" in rows[0]
            else (lambda row: row["symbol"])
        )
        assert rows == sorted(found[table], key=key)


def test_a_file_says_what_it_is_and_has_what_readers_skip_by(published):
    root, _, _ = published
    for path in files(root):
        meta = pq.ParquetFile(root / path).metadata
        assert meta.metadata == {b"ib-recorder.format": b"2", b"ib-recorder.table": path.parts[0].encode()}
        keys = [name for name in ("symbol", "seq") if name in meta.schema.names]
        (group,) = (meta.row_group(index) for index in range(meta.num_row_groups))
        assert [column.column_index for column in group.sorting_columns] == [
            meta.schema.names.index(n) for n in keys
        ]
        for index in range(group.num_columns):
            column = group.column(index)
            assert column.is_stats_set
            assert column.compression == "ZSTD"
            assert column.has_offset_index
            assert column.has_column_index
        if "ts_recv" in meta.schema.names:
            column = meta.schema.column(meta.schema.names.index("ts_recv"))
            assert str(column.logical_type).startswith(
                "Timestamp(isAdjustedToUTC=true, timeUnit=microseconds"
            )


def test_a_page_that_changed_on_disk_does_not_read(published):
    root, _, _ = published
    path = next(root / path for path in files(root) if path.parts[0] == "level1")
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    start, size = column.data_page_offset, column.total_compressed_size
    content = bytearray(path.read_bytes())
    content[start + size - 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(path, partitioning=None, page_checksum_verification=True)


def test_rows_of_two_days_go_to_the_day_they_came(root):
    tape = everything(MIDNIGHT - 30_000)
    list(recover(written(root, tape)))
    level1 = [path for path in files(root) if path.parts[0] == "level1"]
    assert [path.parts[1] for path in level1] == ["date=2026-11-22", "date=2026-11-23"]
    for path in level1:
        rows = pq.read_table(root / path, partitioning=None).to_pylist()
        assert {row["ts_recv"].date().isoformat() for row in rows} == {path.parts[1].removeprefix("date=")}
        file = partition.parse(path)
        assert (file.first_seq, file.last_seq) == (min(r["seq"] for r in rows), max(r["seq"] for r in rows))
    (first, second) = (
        [row["seq"] for row in pq.read_table(root / p, partitioning=None).to_pylist()] for p in level1
    )
    assert sorted(first + second) == [row["seq"] for row in tape.tables()["level1"]]


def test_a_gap_is_filed_under_the_day_it_ended_and_named_by_its_segment(root):
    tape = Tape(ts=MIDNIGHT - 2000)
    gap = {"symbol": "A", "stream": "level1", "reason": "farm", "ts_start": MIDNIGHT - 10**9, "seq_start": 1}
    tape.control("gap_end", **gap, ts_end=MIDNIGHT + 1, seq_end=2)
    list(recover(written(root, tape)))
    (path,) = files(root)[1:]
    assert path.match(f"gaps/date=2026-11-23/{1:019d}-{1:019d}-*.parquet")


def test_publishing_twice_leaves_the_first_file_alone(root):
    folder.create(root)
    rendered = render(everything().contents()[0])
    parts = list(partitions(rendered.tables, 1, rendered.next_seq - 1))
    first = [publish(root, part) for part in parts]
    inodes = [file.path.stat().st_ino for file in first]
    assert first == [publish(root, part) for part in parts]
    assert inodes == [file.path.stat().st_ino for file in first]
    assert names(root / "staging") == []


def test_what_a_killed_renderer_left_staged_goes_with_the_next_try(root):
    folder.create(root)
    rendered = render(everything().contents()[0])
    part = next(iter(partitions(rendered.tables, 1, rendered.next_seq - 1)))
    target = publish(root, part).path
    staged = root / "staging" / f"{part.table}-{part.stem}.parquet"
    os.link(target, staged)
    publish(root, part)
    assert names(root / "staging") == []
    target.unlink()
    staged.write_bytes(b"half a file")
    publish(root, part)
    assert pq.read_table(target, partitioning=None).num_rows == len(part.rows)


def test_a_staged_file_that_is_another_name_of_a_published_one_leaves_that_whole(tmp_path):
    """A renderer was killed between link and unlink; what it published has been merged under another name since."""
    rendered = render(everything().contents()[0])
    (part,) = (part for part in partitions(rendered.tables, 1, 60) if part.table == "level1")
    (tmp_path / "staging").mkdir()
    first = publish(tmp_path, part).path
    whole, other = first.read_bytes(), first.with_name("merged.parquet")
    first.rename(other)
    os.link(other, tmp_path / "staging" / f"level1-{part.stem}.parquet")
    again = publish(tmp_path, part).path
    assert (other.read_bytes(), again.read_bytes()) == (whole, whole)
    assert not again.samefile(other)
    assert names(tmp_path / "staging") == []


def test_a_staged_file_that_lacks_rows_or_has_others_is_refused(tmp_path):
    rendered = render(everything().contents()[0])
    part = next(p for p in partitions(rendered.tables, 1, rendered.next_seq - 1) if p.table == "level1")
    staged = tmp_path / "staged.parquet"
    for rows, complaint in (
        (part.rows.slice(1), f"holds {len(part.rows) - 1} rows, {len(part.rows)} were written"),
        (pa.concat_tables([part.rows.slice(1), part.rows.slice(1, 1)]), "do not read back as written"),
    ):
        write(staged, rows, "level1")
        with pytest.raises(PublishError, match=complaint):
            publish_module._check(staged, part)
    write(staged, part.rows, "level1")
    publish_module._check(staged, part)


def test_a_disk_that_refuses_leaves_the_segment_and_no_file(root):
    tape = everything()
    written(root, tape)
    (root / "level1").write_bytes(b"a file where a folder should be")
    with pytest.raises(OSError, match="level1"):
        list(recover(root))
    assert len(folder.segments(root)) == 1
    (root / "level1").unlink()
    list(recover(root))
    assert folder.segments(root) == []
    back = {t: pq.read_table(root / t, partitioning=None).to_pylist() for t in schema.SEQUENCED}
    assert [seq for seq, _, _ in numbered(back)] == list(range(1, tape.seq))


CALLS = re.compile(r"(fsync|link|linkat|rename|unlink|openat)\((.*)\) = [0-9]+")


def traced(root, trace):
    """What a renderer asked of the kernel about files of ``root``, in order: (call, its arguments)."""
    command = ["strace", "-f", "-y", "-o", trace, "-e", "trace=fsync,link,linkat,rename,unlink,openat"]
    run = [*command, sys.executable, "-m", "recorder.render", root]
    done = subprocess.run(run, capture_output=True, check=False)
    if b"ptrace" in done.stderr:
        pytest.skip("tracing is not allowed here")
    calls = [found.groups() for line in trace.read_text().splitlines() if (found := CALLS.search(line))]
    calls = [(name, detail.replace(f"{root}/", "")) for name, detail in calls if str(root) in detail]
    return [call for call, _ in itertools.groupby(calls) if call[0] != "openat" or is_read_back(call[1])]


def is_read_back(detail):
    return '"staging/' in detail and "O_RDONLY" in detail


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_file_is_durable_and_read_back_before_it_is_linked_and_the_segment_goes_last(root, tmp_path):
    calls = traced(written(root, everything()), tmp_path / "trace")
    links = [place for place, (name, _) in enumerate(calls) if name.startswith("link")]
    assert len(links) == len(files(root))
    for place in links:
        staged, target = re.findall(r'"([^"]*)"', calls[place][1])
        day = Path(target).parent
        around = calls[place - 3 : place + 5]
        assert [name for name, _ in around] == [
            "fsync",
            "openat",
            "openat",
            calls[place][0],
            "unlink",
            *["fsync"] * 3,
        ]
        assert around[0][1].endswith(f"<{staged}>")
        assert f'"{staged}"' in around[1][1]
        assert f'"{staged}"' in around[2][1]
        assert around[4][1] == f'"{staged}"'
        synced = [detail.split("<")[1].rstrip(">") for _, detail in around[5:]]
        assert synced == [str(day), str(day.parent), str(root)]
    replaced = ["fsync", "rename", "fsync"]
    assert [name for name, _ in calls[links[-1] + 5 :]] == [*replaced, *replaced, "unlink", "fsync"]
    assert calls[-2] == ("unlink", '"journal/00000001.journal"')
