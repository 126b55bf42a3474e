"""docs/bad-days.md names a test for every row, and each of them is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bad-days.md").read_text()
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def test_every_test_that_the_page_names_exists():
    files = {path.name: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    missing = [
        f"{file}::{name}" for file, name in NAMED.findall(PAGE) if f"def {name}(" not in files.get(file, "")
    ]
    assert [] == missing


def test_every_row_names_one():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("|---")]
    headings = [line for line in rows if "| shown by |" in line]
    assert [] == [row for row in rows if row not in headings and not NAMED.search(row)]
    assert len(rows) - len(headings) > 35
