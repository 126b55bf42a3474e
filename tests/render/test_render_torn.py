"""Cut anywhere, flipped anywhere, any sector zeroed: what is whole comes back, and what is lost is in a gap."""

import random
import time
import zlib

import pytest
from rendered import bid, recorded, whole_tape, written
from tape import NOON, Tape, content, joined, names, numbered, segment

from recorder.journal import folder
from recorder.journal.format import HEADER_SIZE, NewerSegmentError, NotASegmentError, Record, header, scan
from recorder.journal.salt import before
from recorder.render import recover, resume
from recorder.render.tables import render
from recorder.verify import verify

PREAMBLE = 32
SECTOR = 512


def ends(records):
    """Where each record of a segment ends."""
    at, found = PREAMBLE, []
    for record in records:
        at += HEADER_SIZE + len(record.payload)
        found.append(at)
    return found


def rows(rendered):
    return {seq: (table, content(row), row["ts_recv"]) for seq, table, row in numbered(joined([rendered]))}


@pytest.fixture(scope="module")
def tape():
    return whole_tape()


@pytest.fixture(scope="module")
def middle(tape):
    """The segment with every kind of record: its records, and its bytes."""
    return tape.segments[1], segment(*tape.segments[1])


def test_the_segment_holds_every_kind_of_record_and_of_row(middle):
    assert {record.kind for record in middle[0]} == set("SCRT")
    held = joined([render(middle[1])])
    assert {name for name, found in held.items() if found} >= {
        "level1", "trades", "depth", "greeks", "other", "events", "gaps", "instruments"
    }  # fmt: skip


def test_cut_at_every_byte_every_whole_record_before_the_cut_comes_back(middle):
    records, whole = middle
    bounds = ends(records)
    for cut in range(len(whole)):
        if cut < PREAMBLE:
            with pytest.raises(NotASegmentError):
                list(scan(whole[:cut]))
            continue
        back = [record for record in scan(whole[:cut]) if isinstance(record, Record)]
        assert back == records[: sum(end <= cut for end in bounds)]


def test_cut_at_every_byte_the_rows_are_those_of_its_whole_records(middle):
    records, whole = middle
    wanted = rows(render(whole))
    bounds = ends(records)
    for cut in range(PREAMBLE, len(whole)):
        complete = sum(end <= cut for end in bounds)
        if cut - (bounds[complete - 1] if complete else PREAMBLE) not in (0, 1, 4, 31, 32, 40):
            continue  # what is behind the last record does not count, however long: see the test above
        after = records[complete].seq if complete < len(records) else records[-1].seq
        assert rows(render(whole[:cut])) == {seq: row for seq, row in wanted.items() if seq < after}


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


def killed(root, tape, bytes_of):
    """The recording of a recorder that was killed while it wrote its second segment; another one goes on."""
    folder.create(root)
    for index, one in enumerate([tape.contents()[0], bytes_of], 1):
        folder.segment_path(root, index).write_bytes(one)
    done = list(recover(root))
    checkpoint = folder.load(root)
    later = Tape(seq=checkpoint.next_seq, ts=tape.ts + 10**6)
    later.control("session_start", text="y")
    folder.segment_path(root, checkpoint.next_segment).write_bytes(later.contents()[0])
    return done + list(recover(root))


@pytest.mark.parametrize("behind", [b"", bytes(5000)], ids=["nothing", "zeros"])
def test_a_tail_cut_by_a_kill_is_no_damage_and_its_bytes_are_kept(tape, middle, root, behind):
    records, whole = middle
    for place in range(0, len(records), 3):
        begin = ends(records)[place]
        for cut in (begin, begin + 1, begin + 33):
            own = root / str(cut)
            own.parent.mkdir(exist_ok=True)
            first, second, third = killed(own, tape, whole[:cut] + behind)
            kept = whole[begin:cut].rstrip(b"\0")
            assert [one.lost + one.missing for one in (first, second, third)] == [0, 0, 0]
            assert second.torn == len(kept)
            assert verify(own).flaws == []
            aside = own / "journal" / "set-aside" / "00000002.torn"
            assert (aside.read_bytes() if kept else b"") == kept
            assert (own / "journal" / "set-aside").exists() == bool(kept)
            assert recorded(own)["gaps"] == [
                row for row in recorded(own)["gaps"] if row["reason"] != "damaged"
            ]


@pytest.mark.parametrize(
    "bytes_of", [b"", bytes(70_000), b"ib-recorder jour", b"ib-recorder journal 1\n\0\0\7\7"]
)
def test_a_segment_that_was_only_begun_loses_nothing(tape, root, bytes_of):
    _, second, _ = killed(root, tape, bytes_of)
    assert (second.lost, second.missing, second.torn) == (0, 0, len(bytes_of.rstrip(b"\0")))
    assert verify(root).flaws == []
    assert not any(name.endswith(".journal") for name in names(root / "journal"))


def test_stale_blocks_of_another_segment_never_count(tape, middle, root):
    records, whole = middle
    stale = b"".join(tape.contents())[700:]
    cut = ends(records)[8]
    _, second, _ = killed(root, tape, whole[: cut + 20] + stale)
    assert (second.lost, second.missing) == (0, 0)
    assert verify(root).flaws == []
    assert set(rows(render(whole[:cut]))) == set(rows(render(whole[: cut + 20] + stale)))


def test_a_segment_of_stale_blocks_alone_brings_no_number_a_second_time(tape, root):
    folder.create(root)
    for index, one in enumerate([*tape.contents()[:2], bytes(512) + tape.contents()[0][512:]], 1):
        folder.segment_path(root, index).write_bytes(one)
    *_, stale = recover(root)
    assert (stale.rows, stale.files) == (0, [])
    assert {flaw.kind for flaw in verify(root).flaws} == {"damaged"}


class Hurt:
    """A recording whose second segment is damaged, rendered; and what it should be."""

    def __init__(self, root, tape, bytes_of):
        contents = tape.contents()
        contents[1] = bytes_of
        folder.create(root)
        for index, one in enumerate(contents, 1):
            folder.segment_path(root, index).write_bytes(one)
        resumed = resume(root).next_seq
        self.done = list(recover(root))
        assert resumed == folder.load(root).next_seq == tape.seq
        self.tables = recorded(root)
        self.flaws = verify(root).flaws
        self.rows = {seq: (table, content(row), row["ts_recv"]) for seq, table, row in numbered(self.tables)}
        self.gaps = [row for row in self.tables["gaps"] if row["reason"] == "damaged"]
        self.in_gaps = {seq for row in self.gaps for seq in range(row["seq_start"] + 1, row["seq_end"])}


def tells_all(hurt, whole):
    """What is not as it was is missing, and in a gap; ticks whose request was lost are known by the next segment."""
    missing = set(whole) - set(hurt.rows)
    assert {} == {seq: row for seq, row in hurt.rows.items() if row != whole[seq]}
    assert hurt.in_gaps == missing
    assert sum(one.missing for one in hurt.done) == len(missing)
    is_told = any(one.lost for one in hurt.done)
    assert is_told or not missing
    assert {flaw.kind for flaw in hurt.flaws} <= ({"damaged"} if is_told else set())


def test_of_10_000_flipped_bits_none_is_silent(tape, middle, tmp_path):
    records, whole = middle
    wanted = {seq: (table, content(row), row["ts_recv"]) for seq, table, row in numbered(tape.tables())}
    chance = random.Random(1)
    outcomes = {}
    for bit in chance.sample(range(len(whole) * 8), 10_000):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            found = list(scan(bytes(flipped)))
        except NewerSegmentError:
            assert bit // 8 == 20  # the digit of its version: it is refused, which is not silent
            continue
        back = [one for one in found if isinstance(one, Record)]
        lost = [one for one in records if one not in back]
        assert [one for one in records if one not in lost] == back
        assert len(lost) <= 1
        damage = tuple(one for one in found if not isinstance(one, Record))
        assert damage
        outcomes[damage] = bytes(flipped)
    assert len(outcomes) >= len(records)
    for number, bytes_of in enumerate(outcomes.values()):
        tells_all(Hurt(tmp_path / str(number), tape, bytes_of), wanted)


def test_a_zeroed_sector_anywhere_is_told_and_takes_only_its_own(tmp_path):
    tape = whole_tape(20)
    whole = segment(*tape.segments[1])
    wanted = {seq: (table, content(row), row["ts_recv"]) for seq, table, row in numbered(tape.tables())}
    assert len(whole) > 20 * SECTOR
    for at in range(0, len(whole), SECTOR):
        size = min(SECTOR, len(whole) - at)
        hurt = Hurt(tmp_path / str(at), tape, whole[:at] + bytes(size) + whole[at + size :])
        tells_all(hurt, wanted)
        assert len(set(wanted) - set(hurt.rows)) < 40
        assert hurt.gaps or at == 0 or not set(wanted) - set(hurt.rows)


@pytest.mark.parametrize("blocks", [1, 3])
def test_blocks_of_a_segment_that_stand_in_it_twice_are_damage_and_double_no_row(tmp_path, blocks):
    """An old block on the disk where a new one should be: every checksum in it is right, and so is the salt."""
    tape = whole_tape(20)
    whole = segment(*tape.segments[1])
    wanted = {seq: (table, content(row), row["ts_recv"]) for seq, table, row in numbered(tape.tables())}
    size = blocks * SECTOR
    for since, at in [(PREAMBLE, len(whole))] + [
        (at - size, at) for at in range(PREAMBLE + size, len(whole), SECTOR)
    ]:
        bytes_of = whole[:at] + whole[since : since + size] + whole[at + size :]
        assert any(not isinstance(one, Record) for one in scan(bytes_of))
        tells_all(Hurt(tmp_path / str(at), tape, bytes_of), wanted)


def test_a_gap_of_what_is_lost_names_its_neighbours_and_every_stream_that_was_live(tape, root):
    records = tape.segments[1]
    place = next(at for at, record in enumerate(records) if record.kind == "R" and at > 4)
    start = ends(records)[place - 1] + 40
    whole = segment(*records)
    hurt = Hurt(root, tape, whole[:start] + b"?" + whole[start + 1 :])
    assert {(row["symbol"], row["stream"]) for row in hurt.gaps} == {
        ("AAPL", "level1"), ("ES", "depth"), ("INTC", "trades")
    }  # fmt: skip
    at = {seq: row[2] for seq, row in hurt.rows.items()}
    assert all(
        (at[row["seq_start"]], at[row["seq_end"]]) == (row["ts_start"], row["ts_end"]) for row in hurt.gaps
    )
    (file,) = root.glob("gaps/date=*/*-damaged-*.parquet")
    assert file.name.startswith(f"{min(hurt.in_gaps):019d}-{max(hurt.in_gaps):019d}-damaged-")


def test_a_segment_that_is_gone_is_a_gap(tape, root):
    written(root, tape)
    folder.segment_path(root, 2).unlink()
    before_it, behind_it = recover(root)
    first, after = tape.segments[1][0].seq, tape.segments[2][0].seq
    assert (before_it.missing, behind_it.missing, behind_it.lost) == (0, after - first, 0)
    gaps = recorded(root)["gaps"]
    assert {(row["seq_start"], row["seq_end"], row["reason"]) for row in gaps} == {
        (first - 1, after, "damaged")
    }
    assert {row["symbol"] for row in gaps} == {"AAPL", "ES", "INTC"}
    assert verify(root).flaws == []


def test_what_was_subscribed_in_a_segment_that_is_gone_is_in_the_gap_too(root):
    tape = Tape()
    tape.open(AAPL=(3, "level1"))
    tape.roll()
    tape.subscribe(EUR=(4, "quotes"))
    tape.roll()
    tape.control("notice", text="behind")
    written(root, tape)
    folder.segment_path(root, 2).unlink()
    list(recover(root))
    assert {row["symbol"] for row in recorded(root)["gaps"]} == {"AAPL", "EUR"}


def test_stale_records_behind_a_torn_beginning_never_count(tape):
    first, other = tape.contents()[:2]
    torn = first[:PREAMBLE] + bytes(300) + other[PREAMBLE + 300 :]
    assert [record for record in scan(torn) if isinstance(record, Record)] == []


def test_the_lost_end_of_a_segment_is_damage_where_the_next_one_says_so(tape, middle, root):
    records, whole = middle
    written(root, tape)
    last_read = max(at for at, record in enumerate(records) if record.kind == "R")
    folder.segment_path(root, 2).write_bytes(whole[: ends(records)[last_read] - 30])
    _, torn, behind = recover(root)
    assert torn.lost > 0
    assert behind.missing > 0
    assert names(root / "journal" / "set-aside") == ["00000002.journal"]
    assert {flaw.kind for flaw in verify(root).flaws} == {"damaged"}


def test_a_subscription_that_was_lost_is_in_the_gap_too(tape, root):
    records = tape.segments[1]
    place = min(at for at, record in enumerate(records) if b'"req":13' in record.payload)
    start = ends(records)[place] - 5
    whole = segment(*records)
    hurt = Hurt(root, tape, whole[:start] + b"?" + whole[start + 1 :])
    assert ("AAPL", "level1") in {(row["symbol"], row["stream"]) for row in hurt.gaps}


def test_rendering_again_gives_the_same_gaps(tape, middle, root, tmp_path):
    _, whole = middle
    bytes_of = whole[:900] + bytes(300) + whole[1200:]
    first = Hurt(root, tape, bytes_of)
    again = Hurt(tmp_path / "again", tape, bytes_of)
    files = [
        sorted((path.relative_to(one)) for path in one.glob("*/*/*.parquet"))
        for one in (root, tmp_path / "again")
    ]
    assert files[0] == files[1]
    assert first.gaps == again.gaps


def test_a_lost_salt_is_found_again_from_two_records():
    salt = bytes(range(8))
    record = Record("R", NOON, 7, b"some bytes")
    head = header(zlib.crc32(salt).to_bytes(4, "little"), record)
    assert before(zlib.crc32(b"behind", zlib.crc32(salt)), b"behind") == zlib.crc32(salt)
    assert len(head) == HEADER_SIZE


@pytest.mark.parametrize("filling", [b"\0", b"IBrc", b"IBrc" + b"\0" * 8 + b"R" + b"\0" * 19])
def test_a_damaged_segment_is_scanned_in_linear_time(middle, filling):
    _, whole = middle
    took = []
    for size in (1_000_000, 4_000_000):
        hurt = whole + filling * (size // len(filling)) + b"?"
        began = time.perf_counter()
        list(scan(hurt))
        took.append(time.perf_counter() - began)
    assert took[1] < max(12 * took[0], 0.5)


def test_behind_a_lost_beginning_of_a_connection_ticks_are_those_of_what_was_asked_for_on_it(tmp_path):
    """Request ids begin anew with every connection: what was asked for before is another line's."""
    tape = Tape()
    tape.open(AAPL=(3, "level1"), SAP=(4, "level1"))
    tape.read(bid(1))
    lost = len(tape.segments[0])
    tape.open(MSFT=(3, "level1"))
    tape.read(bid(2))
    tape.read(bid(2, req=4))
    tape.roll()
    tape.read(bid(3))
    tape.seal()
    first, _ = tape.contents()
    begin, end = ends(tape.segments[0])[lost - 1], ends(tape.segments[0])[lost + 2]
    root = written(tmp_path / "data", tape)
    folder.segment_path(root, 1).write_bytes(first[:begin] + bytes(end - begin) + first[end:])
    list(recover(root))
    told = [(row["symbol"], row["price"]) for row in recorded(root)["level1"]]
    assert [("AAPL", 1.0), ("MSFT", 2.0), ("MSFT", 3.0)] == told
    assert [None] == [row["symbol"] for row in recorded(root)["other"]]
