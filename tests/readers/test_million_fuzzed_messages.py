"""A million broken messages among good ones: through tap, journal and renderer, each is one row, none harms another.

The seed is new each time and printed; ``FUZZ_SEED`` repeats one, ``FUZZ_COUNT`` makes fewer or more.
"""

import os
import random
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest
from reference import expected
from render.test_render_fuzz import LINES, REQUESTS, good, mutated, prefixed, same
from tape import HELLO

from recorder.capture.tap import Tap
from recorder.journal import folder
from recorder.journal.writer import Journal, now
from recorder.render.recover import recover
from recorder.schema import SEQUENCED
from recorder.wire import messages
from recorder.wire.layouts import LAYOUTS
from recorder.wire.ticktypes import TICK_TYPES

COUNT = int(os.environ.get("FUZZ_COUNT", "1_000_000"))
SEED = int(os.environ.get("FUZZ_SEED", random.randrange(10**9)))
POOL = 500
"""Valid messages of each layout, of which the broken ones are made."""

A_GOOD_ONE = 10
"""Every so many messages stands one that is as the gateway sent it."""

A_SAMPLE = 25
"""Of every so many broken ones the row is held against what it should be, value by value."""

BATCH = 500
NO_ROW = frozenset(str(msg_id).encode() for msg_id in messages.CONVERSATION)


@dataclass
class Sent:
    """What was sent: how many rows it should be, and of some of them what should stand in them."""

    rows: int = 0
    broken: int = 0
    known: dict = field(default_factory=dict)


def pool(chance):
    """Valid messages, and what each should become."""
    bodies = [good(layout, chance) for layout in LAYOUTS for _ in range(POOL)]
    return [(body, expected(body, REQUESTS, TICK_TYPES)) for body in bodies]


def batch(chance, valid, sent):
    """Some messages as bytes; ``sent`` learns of them."""
    found = []
    for place in range(BATCH):
        body, wanted = valid[int(chance.random() * len(valid))]
        if place % A_GOOD_ONE:
            body = mutated(body, chance)
            sent.broken += 1
            wanted = expected(body, REQUESTS, TICK_TYPES) if place % A_SAMPLE == 1 else None
        found.append(prefixed(body))
        head, ended, _ = body.partition(b"\0")
        if ended and head in NO_ROW:
            continue
        if wanted:
            sent.known[sent.rows] = wanted
        sent.rows += 1
    return b"".join(found)


def record(root, chance, sent):
    """A recorder reads them all, in reads of all sizes, into segments as large as they get; number of the first."""
    journal = Journal(root, folder.create(root), fsync_seconds=0.2, clock=now)
    tap = Tap(journal, lambda: None)
    tap.open()
    tap.take(HELLO)
    for symbol, (req, stream, *show) in LINES.items():
        asked = {"symbol": symbol, "stream": stream, "req": req, "con_id": 1000 + req, "show": "".join(show)}
        journal.control({"kind": "subscribed", **asked})
    first = journal.seq
    valid = pool(chance)
    while sent.broken < COUNT:
        data = batch(chance, valid, sent)
        at = 0
        while at < len(data):
            size = chance.choice((50, 1460, 16_000, 65_536))
            assert not tap.take(data[at : at + size]).broken
            at += size
    assert journal.seq == first + sent.rows
    journal.close()
    return first


def tables(root, first):
    """Each table's rows from ``first`` on, by number."""
    for name in SEQUENCED:
        rows = ds.dataset(root / name, partitioning="hive").to_table(filter=pc.field("seq") >= first)
        yield name, rows.sort_by("seq")


def some(rows, first, known):
    """The rows of a table that something is known of: its place among all, and the row."""
    places = np.fromiter(known, np.int64) + first
    chosen = rows.filter(pc.is_in(rows["seq"], value_set=pa.array(places)))
    return [(row["seq"] - first, row) for row in chosen.to_pylist()]


@pytest.mark.timeout(300)
def test_a_million_broken_messages_are_each_one_row_and_harm_no_other(tmp_path):
    print("FUZZ_SEED =", SEED)
    sent = Sent()
    first = record(tmp_path, random.Random(SEED), sent)
    assert len(folder.segments(tmp_path)) > COUNT // 200_000
    assert {done.lost for done in recover(tmp_path)} == {0}
    assert folder.segments(tmp_path) == []
    numbers, wrong, held = [], [], defaultdict(int)
    for found, rows in tables(tmp_path, first):
        numbers.append(rows["seq"].to_numpy())
        for place, row in some(rows, first, sent.known):
            table, values = sent.known[place]
            held[table] += 1
            if table != found or not all(same(row[name], value) for name, value in values.items()):
                wrong.append((place, found, row, table, values))
    assert wrong == []
    assert np.array_equal(np.sort(np.concatenate(numbers)), np.arange(first, first + sent.rows))
    assert sum(held.values()) == len(sent.known)
    assert set(held) == set(SEQUENCED)
    assert sent.broken >= COUNT
