"""A renderer killed before its checkpoint, and a next one that decodes otherwise: every number is in one row."""

import datetime as dt
import importlib
import io
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rendered import GAP, bid, recorded, whole_tape, written
from store.recordings import put, tick
from tape import Tape, numbered

from recorder import schema
from recorder.journal import folder
from recorder.render import recover
from recorder.render import rows as rows_module
from recorder.verify import verify

DAY = dt.date(2026, 11, 22)
ALL = 99


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


def killed_after(monkeypatch, root, files):
    """A renderer that ends when so many files of the second segment are published, before its checkpoint."""
    module = importlib.import_module("recorder.render.recover")
    publish, advance, left = module.publish, module._advance, [files]

    def counted(at, part):
        if folder.load(root).next_segment == 2:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
        return publish(at, part)

    def never(at, checkpoint, number):
        if number == 2:
            raise KeyboardInterrupt
        advance(at, checkpoint, number)

    with monkeypatch.context() as context:
        context.setattr(module, "publish", counted)
        context.setattr(module, "_advance", never)
        with pytest.raises(KeyboardInterrupt):
            list(recover(root))


def without_books(context):
    """A decoder that does not know the rows of a book: they are in ``other``."""
    context.delitem(rows_module._BY_KEY, (12, 0))


def two_of(table):
    """A segment that holds two rows of a table without numbers, the second at its end."""
    tape = Tape()
    tape.open(AAPL=(3, "level1"), MSFT=(4, "level1"))
    tape.roll()
    for symbol in ("AAPL", "MSFT"):
        tape.read(bid(1))
        if table == "gaps":
            own = {**GAP, "symbol": symbol}
            tape.control("gap_start", **own)
            tape.control("gap_end", **own, ts_end=tape.ts, seq_end=tape.seq - 1)
        else:
            own = {"symbol": symbol, "con_id": 1003, "sec_type": "STK"}
            tape.control("qualified", symbol=symbol, instrument=own)
    tape.read(bid(2))
    tape.seal()
    return tape


def seqs(root):
    return [seq for seq, _, _ in numbered(recorded(root))]


@pytest.mark.parametrize("files", [1, 3, 5, 7, ALL])
@pytest.mark.parametrize("newer_knows_more", [True, False])
def test_no_row_stands_twice_when_another_version_goes_on(root, monkeypatch, files, newer_knows_more):
    tape = whole_tape(3)
    written(root, tape)
    with monkeypatch.context() as context:
        if newer_knows_more:
            without_books(context)
        killed_after(monkeypatch, root, files)
    before = {path: path.read_bytes() for path in root.glob("*/date=*/*")}
    with monkeypatch.context() as context:
        if not newer_knows_more:
            without_books(context)
        list(recover(root))
    assert list(range(1, tape.seq)) == seqs(root)
    assert [] == verify(root).flaws
    assert before == {path: path.read_bytes() for path in before}


def test_the_same_version_goes_on_to_the_very_tables(root, monkeypatch):
    tape = whole_tape(3)
    written(root, tape)
    killed_after(monkeypatch, root, 3)
    list(recover(root))
    assert tape.tables() == recorded(root)
    assert [] == verify(root).flaws


def test_names_that_a_killed_renderer_gave_are_durable_before_the_checkpoint(root, monkeypatch):
    written(root, whole_tape(3))
    killed_after(monkeypatch, root, ALL)
    days = {path.parent for path in root.glob("*/date=*/*") if path.parent.parent.name in schema.SEQUENCED}
    synced, fsync = set(), os.fsync

    def noted(descriptor):
        fsync(descriptor)
        if folder.load(root).next_segment == 2:
            synced.add(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", noted)
    list(recover(root))
    assert days | {day.parent for day in days} | {root} <= synced


def test_rows_of_others_under_the_same_numbers_hide_none(root):
    tape = whole_tape(3)
    right = tape.tables()
    written(root, tape)
    put(root, "quotes", [{**quote, "symbol": "THEIRS"} for quote in map(plain, range(1, tape.seq))], DAY)
    list(recover(root))
    found = recorded(root)
    assert right == {**found, "quotes": [row for row in found["quotes"] if row["symbol"] != "THEIRS"]}
    assert ["twice"] == [flaw.kind for flaw in verify(root).flaws]


@pytest.mark.parametrize("content", [b"my notes", None])
def test_a_foreign_file_that_could_be_one_by_its_name_keeps_nothing_from_being_published(root, content):
    tape = whole_tape(3)
    written(root, tape)
    theirs = root / "level1" / f"date={DAY}" / "20261122-20261123.parquet"
    theirs.parent.mkdir(parents=True)
    pq.write_table(pa.table({"close": [1.0]}), theirs) if content is None else theirs.write_bytes(content)
    before = theirs.read_bytes()
    list(recover(root))
    assert (before, []) == (theirs.read_bytes(), folder.segments(root))
    assert "unreadable" in {flaw.kind for flaw in verify(root).flaws}
    theirs.unlink()
    assert tape.tables() == recorded(root)


@pytest.mark.parametrize("table", ["gaps", "instruments"])
def test_a_damaged_file_without_numbers_of_a_killed_renderer_is_made_from_the_segment_too(
    root, monkeypatch, table
):
    tape = whole_tape(3)
    written(root, tape)
    killed_after(monkeypatch, root, ALL)
    (path,) = (root / table).glob("date=*/*")
    path.write_bytes(cut_off(path.read_bytes()))
    list(recover(root))
    assert tape.tables() == recorded(root)
    assert (root / "set-aside" / path.relative_to(root)).exists()


@pytest.mark.parametrize("table", ["gaps", "instruments"])
def test_a_row_without_a_number_stands_once_when_the_next_renderer_reads_more_of_the_segment(
    root, monkeypatch, table
):
    """Its file was written when one of two rows did not read."""
    written(root, two_of(table))
    segment = folder.segments(root)[1]
    whole, spoilt = segment.read_bytes(), bytearray(segment.read_bytes())
    spoilt[whole.rindex(b'"MSFT"') + 1] ^= 1
    segment.write_bytes(spoilt)
    killed_after(monkeypatch, root, ALL)
    assert ["AAPL"] == [row["symbol"] for row in recorded(root)[table] if row.get("reason") != "damaged"]
    segment.write_bytes(whole)
    list(recover(root))
    rows = [row["symbol"] for row in recorded(root)[table] if row.get("reason") != "damaged"]
    assert ["AAPL", "MSFT"] == sorted(rows)


def test_a_file_that_is_published_again_takes_the_place_of_a_damaged_one_of_its_name(root):
    folder.create(root)
    path = put(root, "level1", [tick(1, day=DAY)], DAY)
    content = path.read_bytes()
    path.write_bytes(cut_off(content))
    put(root, "level1", [tick(1, day=DAY)], DAY)
    assert content == path.read_bytes()
    assert cut_off(content) == (root / "set-aside" / path.relative_to(root)).read_bytes()


def plain(seq):
    return {name: value for name, value in tick(seq, day=DAY).items() if name in {"ts_recv", "seq", "con_id"}}


def cut_off(content):
    return content[:-9]


def zeroed(content):
    return bytes(len(content))


def flipped(content, name="seq"):
    """The first page of a column does not add up."""
    metadata = pq.ParquetFile(io.BytesIO(content)).metadata
    at = metadata.row_group(0).column(metadata.schema.names.index(name)).data_page_offset + 40
    return content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]


def flipped_price(content):
    return flipped(content, "price")


@pytest.mark.parametrize(
    ("spoilt", "named"),
    [(cut_off, True), (zeroed, True), (flipped_price, True), (cut_off, False), (flipped, False)],
)
def test_a_damaged_file_of_a_killed_renderer_is_set_aside_and_made_from_the_segment(
    root, monkeypatch, spoilt, named
):
    tape = whole_tape(3)
    written(root, tape)
    killed_after(monkeypatch, root, ALL)
    (path,) = root.glob("level1/date=*/*")
    path = path if named else path.rename(path.with_name(path.name[:39] + ".parquet"))
    path.write_bytes(spoilt(path.read_bytes()))
    content = path.read_bytes()
    list(recover(root))
    assert tape.tables() == recorded(root)
    assert content == (root / "set-aside" / path.relative_to(root)).read_bytes()
    assert ["damaged"] == [flaw.kind for flaw in verify(root).flaws]
