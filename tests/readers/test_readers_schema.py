"""The description of the tables is complete, true of the protocol, and the page says the same."""

import pytest
from readers.page import PAGE

from recorder.journal.folder import FORMAT
from recorder.schema import MARKER, MARKET_TABLES, TABLES, page
from recorder.session import contracts
from recorder.wire.layouts import LAYOUTS

PAIRS = {"isin", "cusip"}
"""Identifiers that contract details hold as pairs of a tag and its value."""

ELSEWHERE = {
    4: {"version", "req", "code", "text", "advanced"},
    10: {*contracts._CONTRACT} | PAIRS,
    18: {*contracts._BOND} | PAIRS,
}
"""Fields of the messages that have no layout."""

COLUMNS = [(table, column) for table, columns in TABLES.items() for column in columns]


def fields(table, msg_id):
    """The fields of a message that a table may be made of."""
    fitting = [
        layout
        for layout in LAYOUTS
        if layout.msg_id == msg_id and layout.table == table * (table != "events")
    ]
    return ELSEWHERE.get(msg_id, set()) | {field.name for layout in fitting for field in layout.fields}


def sources(column):
    """Message id and field of each of its sources."""
    words = [word.split(".") for word in column.source.split() if word not in ("recorder", "any")]
    return {(int(msg_id), field) for msg_id, field in words}


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=lambda part: getattr(part, "name", part))
def test_a_column_comes_from_fields_that_there_are(table, column):
    assert column.source
    assert [(msg_id, field) for msg_id, field in sources(column) if field not in fields(table, msg_id)] == []


def test_no_field_of_a_market_data_message_is_dropped():
    used = {(table, *source) for table, column in COLUMNS for source in sources(column)}
    sent = {
        (layout.table or "events", layout.msg_id, field.name)
        for layout in LAYOUTS
        for field in layout.fields
        if field.kind not in ("fixed", "req") and field.name != "variant"  # that one chooses the table
    }
    assert sent - used == set()


def test_what_is_computed_from_a_price_or_size_has_its_unit():
    units = {(column.name, column.unit) for table, column in COLUMNS if table in MARKET_TABLES}
    assert {unit for name, unit in units if name.endswith("price") or name in ("bid", "ask")} == {"currency"}
    assert {unit for name, unit in units if name.endswith("size") or name == "volume"} == {"size"}
    assert {unit for name, unit in units if name.startswith("ts_")} == {"microseconds UTC"}


def test_no_column_is_of_a_format_to_come_and_none_of_all_files():
    assert {column.since for _, column in COLUMNS} <= set(range(1, FORMAT + 1))
    for columns in TABLES.values():
        assert columns[0].since == 1


def test_a_column_is_said_once_in_a_table_and_in_words():
    for columns in TABLES.values():
        names = [column.name for column in columns]
        assert sorted(set(names)) == sorted(names)
    assert [column.name for _, column in COLUMNS if not column.doc or "|" in column.doc] == []


def test_the_page_is_that_of_this_schema():
    text = PAGE.read_text()
    assert page(text) == text, "renew it: python -m recorder.schema docs/tables.md"
    assert [table for table in TABLES if f"\n## {table}\n" not in text] == []


def test_a_page_without_a_place_for_the_tables_is_refused():
    with pytest.raises(ValueError, match="there is no line '<!-- What follows"):
        page("# Tables\n")
    assert page(f"# Tables\n{MARKER}old").startswith(f"# Tables\n{MARKER}\n## level1\n")
