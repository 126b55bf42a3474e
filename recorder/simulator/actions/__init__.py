"""What a script can do to the gateway: one small function for each action, and the table of them all.

Rules:
- An action's parameters are its function's, with their types; a parameter without default must be given.
- Actions act on all connections there are. What is to happen to later ones is left in the world.
- ``seconds`` is how long a state lasts (``for`` in a script); left out it lasts until another action ends it.
- By subject: ``connection`` (the socket and the log-in), ``servers`` (what is behind the gateway), ``market``
  (what the instruments do), ``refusals`` (what a client is not given).
"""

from collections.abc import Callable
from typing import Final

from recorder.simulator.actions import connection, market, refusals, servers

ACTIONS: Final[dict[str, Callable[..., None]]] = {
    action.__name__: action
    for action in (
        connection.drop, connection.reset, connection.freeze, connection.slow, connection.refuse_id,
        connection.accept_but_silent, connection.hello_then_nothing, connection.empty_accounts,
        connection.close_at_once, connection.refuse_connections, connection.junk, connection.huge_length,
        servers.farm, servers.lost, servers.restored, servers.nightly_reset, servers.unanswered,
        servers.invalid, servers.read_only,
        market.mute, market.unmute, market.close_market, market.open_market, market.late_ticks,
        market.updates_dropped, market.depth_reset, market.depth_halt, market.roll, market.delist,
        refusals.error, refusals.revoke, refusals.grant, refusals.take_lines, refusals.competing_session,
        refusals.reroute,
    )
}  # fmt: skip
"""Every action by its name."""
