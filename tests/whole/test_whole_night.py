"""The acid test: a night of faults, after which every number is a row or in a gap, and no gap is a lie.

NIGHT_SEED, NIGHT_FAULTS and NIGHT_KINDS (names of fault kinds, by commas) in the environment change the night.
"""

import asyncio
import os
import random
from pathlib import Path

import pytest
from daemon import run
from night import connection, data, harmless
from night.kinds import KINDS
from night.night import Night
from night.oracle import Night as Known
from night.oracle import lies, report, whole

FALSE_SHARE = 0.02
"""Of all gaps: what no loss and no fault of that line explains."""

SUSPECTED_SHARE = 0.15
"""Of all gaps: what is explained only by a farm that breaks and does not say whose it is."""

SHOWN = 25
BENIGN = [name for name, kind in KINDS.items() if kind.benign]


def spend(folder: Path, faults: int, kinds: list[str]) -> tuple[list[str], Known, Night]:
    """A night; returns what is wrong with it."""
    seed = int(os.environ.get("NIGHT_SEED") or random.randrange(1_000_000))
    night = Night(folder, seed)
    print(f"\nseed {seed}, {folder}")
    asyncio.run(night.spend(int(os.environ.get("NIGHT_FAULTS") or faults), kinds))
    known = Known(list(night.market.feeds.values()), night.faults, night.begin)
    code, output, errors = asyncio.run(run("verify", str(folder / "data")))
    flaws = [f"{at - night.begin:.2f} s: {text}" for at, text in night.gateway.complaints]
    if not (folder / "data" / "recording.json").exists():
        pytest.fail(f"nothing was recorded: {flaws}\n{night.recorder.last_words()}")
    flaws += [f"verify exits {code}: {output}{errors}"] if code else []
    return flaws + whole(folder / "data", known), known, night


def told(flaws: list[str], night: Night) -> str:
    """Everything needed to look for the cause."""
    log = "\n".join(fault.told(night.begin) for fault in night.faults)
    words = "\n".join(flaws[:SHOWN])
    text = f"{len(flaws)} flaws, seed {night.seed}:\n{words}\n\nfaults:\n{log}"
    (night.recorder.root.parent / "night.txt").write_text("\n".join(flaws) + f"\n\nfaults:\n{log}\n")
    return text


def chosen() -> list[str]:
    return [name for name in os.environ.get("NIGHT_KINDS", "").split(",") if name] or list(KINDS)


def judge(folder: Path, faults: int, kinds: list[str], false_share: float) -> None:
    flaws, known, night = spend(folder, faults, kinds)
    found = lies(folder / "data", known)
    print(report(known, found))
    print(night.recorder.wear())
    flaws += night.recorder.worn()
    if found.false.total() > false_share * found.gaps.total():
        flaws += found.words
    if found.suspected.total() > SUSPECTED_SHARE * found.gaps.total() and not os.environ.get("NIGHT_KINDS"):
        flaws.append(f"{found.suspected.total()} gaps in streams of other farms than the broken one")
    assert not flaws, told(flaws, night)


@pytest.mark.timeout(420)
def test_a_night_of_faults_leaves_every_number_in_a_row_or_in_a_gap(tmp_path):
    judge(tmp_path, 50, chosen(), FALSE_SHARE)


@pytest.mark.timeout(180)
def test_a_night_of_chatter_and_of_closed_markets_has_no_gap(tmp_path):
    judge(tmp_path, 15, BENIGN, 0.0)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_long_night_of_faults_leaves_every_number_in_a_row_or_in_a_gap(tmp_path):
    judge(tmp_path, 500, chosen(), FALSE_SHARE)


def test_every_kind_of_fault_is_registered():
    modules = {connection.__name__, data.__name__, harmless.__name__}
    assert {kind.play.__module__ for kind in KINDS.values()} == modules
