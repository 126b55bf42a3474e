"""How long things take at IB, and how long the recorder waits for them. All in seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Every wait that is not a key of the config. The defaults are those of a real gateway.

    Attributes:
        least: the least silence that can mean something: the config's ``heartbeat_seconds``.
        request: between two requests; IB drops a client that sends more than 50 messages a second.
        tick_by_tick: between two tick-by-tick requests for one instrument: 15 s (TWS API guide, "Tick-by-Tick Data"),
            and what the first may take longer on its way than the second.
        first_answers: how long the first subscription waits for contract lookups, so that watchlist order holds.
        settled: a stream that has been asked for and not refused for so long is being received, ticks or not.
        burst: what comes so soon after a request is IB's opening picture and tells nothing of a line's rate.
        passing: until what ends by itself, or was not answered, is asked for again.
        slow: until what was refused is asked for again.
        daily: until contract details are asked for again, and contracts that IB did not know.
        watch: how long ticks may take to come after IB said that perhaps none will.
        farm: how long lines are watched after a farm broke, before those that fell silent are in a gap.
        in_flight: what still comes so soon after a farm broke was under way already.
        lost_in_flight: the same after the gateway has lost IB.
        linger: how long to listen after cancelling: what the gateway had sent already is still recorded.
        check: the longest time between two looks at everything.
        first_tick: the same while a stream waits for a tick: its gap ends on record that soon after.
    """

    least: float = 15.0
    request: float = 1 / 40
    tick_by_tick: float = 15.25
    first_answers: float = 2.0
    settled: float = 10.0
    burst: float = 5.0
    passing: float = 60.0
    slow: float = 1800.0
    daily: float = 86400.0
    watch: float = 30.0
    farm: float = 2.0
    in_flight: float = 1.0
    lost_in_flight: float = 5.0
    linger: float = 0.3
    check: float = 0.5
    first_tick: float = 0.05
