"""The readers' lines of ``docs/tables.md``, run as they stand there on another recording, table and line."""

import re
from pathlib import Path

import pyarrow as pa

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"
BLOCKS = dict(re.findall(r"^### ([\w, ]+)\n```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL))
READERS = [name for name in BLOCKS if "," not in name]


def run(reader, root, table, symbol="AAPL"):
    """What a block names: ``rows``, and ``line`` where it has one."""
    block = BLOCKS[reader].replace("data/level1", f"{root}/{table}").replace('"level1"', f'"{table}"')
    found = {}
    exec(block.replace("AAPL", symbol), found)
    return found


def arrow(found):
    """Any reader's rows as an Arrow table."""
    if isinstance(found, pa.Table):
        return found
    if hasattr(found, "compute"):  # Dask
        found = found.compute()
    for name in ("to_arrow", "to_arrow_table", "toArrow"):  # Polars, DuckDB, Spark
        if hasattr(found, name):
            return getattr(found, name)()
    return pa.Table.from_pandas(found, preserve_index=False)


def normal(found):
    """The rows with one type for all ways to hold a text, and for a folder's date."""
    table = arrow(found)
    return table.cast(pa.schema([(field.name, _plain(field)) for field in table.schema]))


def _plain(field):
    if field.name == "date":
        return pa.date32()
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    return pa.string() if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) else kind
