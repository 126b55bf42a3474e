"""One recording of the demo for all tests that look at what it left."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
from daemon import run

DEMO_SECONDS = 14
"""Long enough for bars (every 5 s) before and behind the drop of the connection."""


@dataclass(frozen=True)
class Demo:
    code: int
    output: str
    errors: str
    root: Path


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Demo:
    folder = tmp_path_factory.mktemp("demo")
    root = folder / "data"
    command = ("demo", "--seconds", str(DEMO_SECONDS), "--root", str(root))
    return Demo(*asyncio.run(run(*command)), root)
