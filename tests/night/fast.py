"""How much faster than a real night this one is: the recorder's waits, by their names in ``Timing``."""

SCALE = 10
TICK_BY_TICK_SECONDS = 15.0 / (2 * SCALE)
"""As the gateway has it; on a busy machine a request may be that late, so the recorder waits a little longer."""

FAST = {
    "request": 1 / (40 * SCALE), "tick_by_tick": TICK_BY_TICK_SECONDS + 0.1, "first_answers": 0.3, "settled": 1.0,
    "burst": 0.5, "passing": 1.0, "slow": 2.0, "daily": 3.0, "watch": 3.0, "farm": 0.2, "in_flight": 0.1,
    "lost_in_flight": 0.5, "linger": 0.1, "check": 0.05,
}  # fmt: skip
