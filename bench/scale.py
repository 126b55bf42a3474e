"""How much of everything a benchmark runs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers of messages, and seconds.

    Attributes:
        unique: different messages of the market; longer streams repeat them.
        rounds: runs of which the median counts.
        ours: messages of a run of the recorder at full speed: as many as make its start-up a day's.
        theirs: messages of a run of anything slower.
        paced_seconds: length of a run at a given rate.
        steady_seconds: length of the run that lateness and memory come from.
        kill_seconds: time until the kill; ``flush_seconds``: between two writes of Parquet before it.
        simulated_seconds: length of the recording of the simulated market.
        days: rows of the two days that are compacted; ``asked``: of the day that is queried.
        nautilus: objects given to nautilus_trader.
    """

    unique: int
    rounds: int
    ours: int
    theirs: int
    paced_seconds: float
    steady_seconds: float
    kill_seconds: float
    flush_seconds: float
    simulated_seconds: float
    days: tuple[int, int]
    asked: int
    nautilus: int


FULL = Scale(
    1_200_000, 3, 6_000_000, 1_000_000, 15, 60, 12.5, 5, 45, (5_000_000, 50_000_000), 5_000_000, 50_000
)
QUICK = Scale(150_000, 1, 600_000, 150_000, 2, 5, 2.5, 1, 15, (200_000, 400_000), 100_000, 5_000)
