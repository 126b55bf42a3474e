"""Of a damaged file that nothing else holds, what stands before and behind the damage is published again."""

import random
import shutil
import signal
import subprocess
import sys

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from rendered import recorded, whole_tape, written
from tape import numbered

from recorder import partition, schema
from recorder.journal import folder
from recorder.render import mend as mend_module
from recorder.render import publish as publish_module
from recorder.render import recover
from recorder.render.believed import believed
from recorder.render.mend import mend
from recorder.render.publish import encoding, metadata
from recorder.render.salvage import groups
from recorder.verify import verify


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A recording without an archive, whose larger files are of several row groups."""
    monkeypatch.setattr(publish_module, "ROW_GROUP", 16)
    root = written(tmp_path / "data", whole_tape(20))
    list(recover(root))
    return root


def largest(root, table):
    return max((root / table).glob("date=*/*.parquet"), key=lambda path: path.stat().st_size)


def flipped(path, at, bit=0):
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)


def within(path, group, column="seq"):
    """Where the last bytes of a column of a row group are."""
    with pq.ParquetFile(path) as parquet:
        chunk = parquet.metadata.row_group(group).column(parquet.schema_arrow.get_field_index(column))
    start = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
    return start + chunk.total_compressed_size - 3


def behind_the_pages(path):
    """A byte of the page index, which nothing is read by."""
    with pq.ParquetFile(path) as parquet:
        last = parquet.metadata.num_row_groups - 1
        return within(path, last, parquet.schema_arrow.names[-1]) + 5


def rows_of(path, group):
    with pq.ParquetFile(path) as parquet:
        return parquet.read_row_group(group).to_pylist()


def flaws(root):
    shutil.rmtree(root / "set-aside")
    return verify(root).flaws


@pytest.mark.parametrize("table", ["level1", "trades", "greeks", "other", "events"])
@pytest.mark.parametrize("group", [0, 1])
def test_of_a_file_with_a_flipped_bit_one_row_group_is_lost_and_the_others_are_as_they_were(
    root, table, group
):
    before, path = recorded(root), largest(root, table)
    gone = {row["seq"] for row in rows_of(path, group)}
    rows = pq.ParquetFile(path).metadata.num_rows
    assert rows > len(gone)
    flipped(path, within(path, group))
    done = mend(root)
    after = recorded(root)
    assert (rows - len(gone), 0, len(gone)) == (done.saved, done.rows, done.lost)
    assert [row for row in before[table] if row["seq"] not in gone] == after[table]
    assert {seq for seq, _, _ in numbered(before)} - gone == {seq for seq, _, _ in numbered(after)}
    assert [] == flaws(root)


@pytest.mark.parametrize("table", ["level1", "events", "gaps", "instruments"])
def test_of_a_file_whose_row_groups_are_all_whole_nothing_is_lost(root, table):
    before, path = recorded(root), largest(root, table)
    flipped(path, behind_the_pages(path))
    done = mend(root)
    assert (before, 0, 0, []) == (recorded(root), done.lost, done.retold, done.unmended)
    assert [] == flaws(root)


@pytest.mark.parametrize("where", ["events", "gaps"])
def test_a_gap_that_its_event_tells_of_is_saved_once_though_both_files_are_damaged(root, where):
    before = recorded(root)
    for table in ("events", "gaps"):
        flipped(largest(root, table), behind_the_pages(largest(root, table)))
    assert mend(root).saved > 0
    assert before[where] == recorded(root)[where]
    assert [] == flaws(root)


def test_a_second_time_there_is_nothing_to_do(root):
    path = largest(root, "level1")
    flipped(path, within(path, 1))
    assert mend(root).saved > 0
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    again = mend(root)
    assert ([], [], 0, 0) == (again.moved, again.files, again.saved, again.lost)
    assert before == {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_the_archive_holds_is_made_from_it(tmp_path):
    root = written(tmp_path / "data", whole_tape(3))
    folder.adopt(root, archive=True)
    list(recover(root))
    before, path = recorded(root), largest(root, "level1")
    rows = pq.ParquetFile(path).metadata.num_rows
    flipped(path, behind_the_pages(path))
    done = mend(root)
    assert (rows, 0, before) == (done.rows, done.saved, recorded(root))


@pytest.mark.parametrize("hurt", [lambda whole: whole[:-9], lambda whole: whole[:700], lambda _: b""])
def test_a_file_without_its_footer_holds_nothing(root, hurt):
    path = largest(root, "level1")
    rows = pq.ParquetFile(path).metadata.num_rows
    path.write_bytes(hurt(path.read_bytes()))
    done = mend(root)
    assert (0, rows) == (done.saved, done.lost)
    assert [] == flaws(root)


def test_what_a_run_that_was_refused_had_set_aside_is_saved_by_the_next(root, monkeypatch):
    before, path = recorded(root), largest(root, "level1")
    flipped(path, behind_the_pages(path))

    def refused(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(mend_module, "publish", refused)
        with pytest.raises(OSError, match="No space"):
            mend(root)
    assert before != recorded(root)
    mend(root)
    assert before == recorded(root)


def test_rows_of_older_days_that_retention_left_are_saved_and_no_others(root):
    checkpoint = folder.load(root)
    checkpoint.kept_seq, checkpoint.kept_rows = checkpoint.next_seq, len(numbered(recorded(root)))
    folder.save(root, checkpoint)
    before, path = recorded(root), largest(root, "level1")
    flipped(path, behind_the_pages(path))
    assert 0 == mend(root).lost
    assert before == recorded(root)
    assert [] == flaws(root)


def footer(content):
    """Where a file's footer begins."""
    return len(content) - 8 - int.from_bytes(content[-8:-4], "little")


@pytest.mark.parametrize("table", ["level1", "depth", "events", "instruments"])
def test_no_flipped_bit_of_the_pages_or_their_heads_makes_a_row_that_was_not_written(root, table):
    path = largest(root, table)
    whole = path.read_bytes()
    written_rows = [rows_of(path, group) for group in believed(path, table)]
    chance, found = random.Random(7), 0
    for bit in chance.sample(range(footer(whole) * 8), 300):
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        groups_of = believed(path, table)
        assert all(rows_of(path, group) == written_rows[group] for group in groups_of)
        found += len(groups_of)
    assert found > 0


def test_a_footer_over_which_arrow_ends_the_process_keeps_nothing_else_from_being_mended(root):
    path, other = largest(root, "level1"), largest(root, "trades")
    rows = pq.ParquetFile(path).metadata.num_rows
    content = path.read_bytes()
    flipped(path, content.index(b"\x06\x19\x26", footer(content)), 6)  # in a column's SizeStatistics
    run = [sys.executable, "-m", "recorder.render.believed", str(path)]
    assert -signal.SIGABRT == subprocess.run(run, capture_output=True, check=False).returncode
    flipped(other, behind_the_pages(other))
    trades = pq.ParquetFile(other).metadata.num_rows
    done = mend(root)
    assert (trades, rows) == (done.saved, done.lost)
    assert [] == flaws(root)


def forged(path, rows, *, table="level1", version=None, **other):
    """Put a file of other bytes than its name says in the place of one."""
    own = metadata(table) | ({} if version is None else {"ib-recorder.format": version})
    with pq.ParquetWriter(path, rows.schema, **encoding(rows.column_names) | other) as writer:
        writer.write_table(rows)
        writer.add_key_value_metadata(own)


def test_what_was_written_without_checksums_is_not_believed(root):
    path = largest(root, "level1")
    rows = pq.ParquetFile(path).read()
    forged(path, rows, write_page_checksum=False)
    done = mend(root)
    assert (0, len(rows)) == (done.saved, done.lost)


def test_what_was_written_with_them_is(root):
    path = largest(root, "level1")
    rows = pq.ParquetFile(path).read()
    forged(path, rows)
    done = mend(root)
    assert (len(rows), 0) == (done.saved, done.lost)


@pytest.mark.parametrize("own", [{"table": "trades"}, {"version": "9"}])
def test_a_file_that_says_that_it_is_another_tables_or_of_a_newer_format_is_not_believed(root, own):
    path = largest(root, "level1")
    rows = pq.ParquetFile(path).read()
    forged(path, rows, **own)
    done = mend(root)
    assert (0, len(rows)) == (done.saved, done.lost)


@pytest.mark.parametrize("change", ["renamed", "less", "more"])
def test_a_file_of_other_columns_is_not_believed(root, change):
    path = largest(root, "level1")
    rows = pq.ParquetFile(path).read()
    other = {
        "renamed": rows.rename_columns({"price": "prize"}),
        "less": rows.drop_columns(["price"]),
        "more": rows.append_column("more", rows["price"]),
    }
    forged(path, other[change])
    done = mend(root)
    assert (0, len(rows)) == (done.saved, done.lost)


def test_what_is_not_as_the_footer_says_is_not_believed(root):
    """Pages whose checksums are right, under the footer of a file with other prices."""
    path = largest(root, "level1")
    rows = pq.ParquetFile(path).read()
    at = rows.column_names.index("price")
    plain = {"compression": "none", "compression_level": None, "use_dictionary": False}
    forged(path, rows, **plain)
    whole = path.read_bytes()
    forged(path, rows.set_column(at, "price", pc.add(rows["price"], 1)), **plain)
    pages = path.read_bytes()
    assert len(whole) == len(pages)
    path.write_bytes(pages[: footer(pages)] + whole[footer(whole) :])
    done = mend(root)
    assert (0, len(rows)) == (done.saved, done.lost)


def test_a_number_that_its_name_denies_or_that_stands_somewhere_is_not_taken_from_a_file(root):
    before, path = recorded(root), largest(root, "level1")
    file, rows = partition.parse(path), pq.ParquetFile(path).read()
    narrower = path.with_name(partition.name(file.first_seq, file.last_seq - 20, 0))
    forged(narrower, rows)
    path.unlink()
    done = mend(root)
    within_name = sum(seq <= file.last_seq - 20 for seq in rows["seq"].to_pylist())
    assert (within_name, len(rows) - within_name) == (done.saved, done.lost)
    assert all(row in before["level1"] for row in recorded(root)["level1"])


@pytest.mark.parametrize("table", ["level1", "gaps", "instruments"])
def test_a_row_that_stands_in_two_damaged_files_is_saved_once(root, table):
    before, path = recorded(root), largest(root, table)
    file = partition.parse(path)
    flipped(path, behind_the_pages(path))
    other = partition.name(file.first_seq, file.last_seq, file.crc, partition.COMPACTED)
    shutil.copy(path, path.with_name(other))
    mend(root)
    assert before == recorded(root)


def test_a_file_that_cannot_be_looked_into_is_not_taken_for_an_empty_one(tmp_path):
    path = tmp_path / "level1" / "date=2026-11-22" / partition.name(1, 2, 3)
    with pytest.raises(FileNotFoundError):
        list(groups(partition.parse(path)))


def test_every_column_of_every_table_is_believed(tmp_path):
    root = written(tmp_path / "data", whole_tape(3))
    list(recover(root))
    seen = set()
    for table in schema.TABLES:
        for path in (root / table).glob("date=*/*.parquet"):
            assert list(range(pq.ParquetFile(path).num_row_groups)) == believed(path, table)
            seen.add(table)
    assert len(seen) > 7
