"""Hand-made tapes: rows written down one by one, and Parquet files in the layout of a recording."""

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recorder import schema

DAY = "2026-11-22"
OWN = {"con_id": 1, "source": "live"}


def at(text):
    """``10:00:01.5`` on the day of the tapes, or a whole ISO moment."""
    whole = text if "-" in text else f"{DAY} {text}"
    return datetime.fromisoformat(whole).replace(tzinfo=UTC)


def made(table, rows, symbol="AAPL"):
    """Rows as a table; what a row does not say is its line's, or null."""
    names = schema.schema(table).names
    own = {name: value for name, value in (OWN | {"symbol": symbol}).items() if name in names}
    filled = [own | {key: at(v) if key.startswith("ts") else v for key, v in row.items()} for row in rows]
    return pa.Table.from_pylist(filled, schema=schema.schema(table))


class Tape:
    """A recording made of files only."""

    def __init__(self, root):
        self.root = Path(root)
        self.root.mkdir(exist_ok=True)
        (self.root / "recording.json").write_text('{"format": 1}')

    def write(self, table, rows, **own):
        """Files of the rows, one a UTC day, sorted and named as the recorder does; their paths."""
        whole = made(table, rows, **own)
        moments = whole["ts_end" if table == "gaps" else "ts_recv"].to_pylist()
        days = defaultdict(list)
        for index, moment in enumerate(moments):
            days[moment.date()].append(index)
        return [self._file(table, day, whole.take(indices)) for day, indices in days.items()]

    def _file(self, table, day, rows):
        named = next((name for name in ("seq", "seq_end") if name in rows.column_names), None)
        seqs = rows[named].to_pylist() if named else [1]
        keys = [(name, "ascending") for name in ("symbol", "seq") if name in rows.column_names]
        folder = self.root / table / f"date={day}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{min(seqs):019d}-{max(seqs):019d}.parquet"
        pq.write_table(rows.sort_by(keys), path, write_page_checksum=True)
        return path


@pytest.fixture
def tape(tmp_path):
    return Tape(tmp_path / "data")


@pytest.fixture(name="made")
def made_fixture():
    return made


@pytest.fixture(name="at")
def at_fixture():
    return at
