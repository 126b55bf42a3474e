"""Every block of the README does what it says."""

import asyncio
import re
import shlex
from pathlib import Path

import pytest
from daemon import python, run

from recorder.config import load
from recorder.schema import TABLES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PYTHON = [block for language, block in BLOCKS if language == "python"]
COMMANDS = [
    shlex.split(line, comments=True)
    for language, block in BLOCKS
    if language == "bash"
    for line in block.splitlines()
    if line.startswith("ib-recorder")
]


@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_python_blocks_run_beside_a_recording(demo, block):
    code, _, errors = asyncio.run(python(block, demo.root.parent))
    assert (code, errors) == (0, "")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_exist_with_their_options(command):
    code, help_text, errors = asyncio.run(run(command[1], "--help"))
    assert (code, errors) == (0, "")
    assert [word for word in command if word.startswith("--") and word not in help_text] == []


def test_make_targets_exist():
    wanted = re.findall(
        r"^make (\w+)", "\n".join(block for language, block in BLOCKS if language == "bash"), re.MULTILINE
    )
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert wanted
    assert set(wanted) <= set(targets)


def test_the_least_config_loads(tmp_path):
    (yaml,) = (block for language, block in BLOCKS if language == "yaml")
    (tmp_path / "watchlist.yaml").write_text(yaml)
    assert [line.label for line in load(tmp_path / "watchlist.yaml").watchlist] == ["AAPL", "EURUSD"]


def test_the_config_error_reads_as_shown(tmp_path):
    (shown,) = (block for _, block in BLOCKS if block.startswith("watchlist.yaml:"))
    path = tmp_path / "watchlist.yaml"
    path.write_text("gateway: {port: 4002}\nwatchlist:\n  - {type: stock, symbol: 700}\n")
    _, _, errors = asyncio.run(run("check", str(path)))
    assert errors.replace(str(path), "watchlist.yaml") == shown


def test_the_table_of_tables_names_every_table_and_only_columns_there_are():
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", README, re.MULTILINE)
    shown = {
        name: re.findall(r"`(\w+)`", columns) for name, columns in rows if name in TABLES and "`" in columns
    }
    assert sorted(shown) == sorted(TABLES)
    for name, columns in shown.items():
        assert set(columns) <= {column.name for column in TABLES[name]}


def test_every_linked_file_is_there():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []
