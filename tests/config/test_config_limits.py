"""What fits the account, in the order of the watchlist."""

from pathlib import Path

import pytest

from recorder.config import Config, Gateway, Line, Stream, load
from recorder.config.limits import Limits, budget, lines_used

SAMPLE = Path(__file__).parents[2] / "config" / "watchlist.yaml"


def watching(*kinds: str, max_lines: int = 100) -> Config:
    lines = (Line(con_id=1 + index, streams=(Stream(kind=kind),)) for index, kind in enumerate(kinds))
    return Config(gateway=Gateway(max_lines=max_lines), watchlist=tuple(lines))


def refused(config: Config, limits: Limits | None = None) -> list[int]:
    return [verdict.line for verdict in budget(config, limits) if not verdict.accepted]


IB_TABLE = [
    (100, 5, 3),
    (101, 10, 3),
    (400, 20, 3),
    (401, 25, 4),
    (500, 25, 4),
    (1000, 50, 9),
    (1100, 55, 10),
]


@pytest.mark.parametrize(("lines", "tick_by_tick", "depth"), IB_TABLE)
def test_the_limits_are_those_of_ibs_table(lines, tick_by_tick, depth):
    assert Limits(lines, tick_by_tick, depth) == Limits.of(lines)


def test_fewer_lines_than_any_account_has_leave_its_other_limits_whole():
    assert Limits(10, 5, 3) == Limits.of(10)


def test_no_account_has_more_than_sixty_books():
    assert 60 == Limits.of(100_000).depth


def test_level1_and_bars_take_the_lines():
    config = watching("level1", "bars", "level1", "trades", "depth", max_lines=2)
    assert [2] == refused(config)
    assert 3 == lines_used(config)


def test_the_sixth_tick_by_tick_stream_is_refused():
    assert [5] == refused(watching("trades", "quotes", "midpoints", "trades", "quotes", "midpoints"))


def test_the_fourth_book_is_refused_and_what_follows_is_not():
    config = watching("depth", "depth", "depth", "depth", "level1")
    verdict = budget(config)[3]
    assert [3] == refused(config)
    assert (
        "all 3 order books are taken that IB allows with gateway.max_lines; move it up to prefer it"
        == verdict.reason
    )


def test_the_limits_can_be_given():
    assert [0, 1, 2] == refused(watching("level1", "trades", "depth"), Limits(0, 0, 0))


def test_the_sample_fits_a_plain_account_and_uses_its_books_and_tick_streams_up():
    config = load(SAMPLE)
    assert [] == refused(config)
    assert [] != refused(config, Limits(100, 4, 3))
    assert [] != refused(config, Limits(100, 5, 2))
