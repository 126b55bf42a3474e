"""A simulated gateway of Interactive Brokers: the real protocol, a real socket, a synthetic market.

Rules:
- Never kinder than the real one: its limits, its refusals, its torn writes, its silences.
- ``Simulator`` is the asyncio shell (``server``). All else is pure: bytes in, frames out, clock and seed
  given.
"""

from recorder.simulator.script import ScriptError, Step, load_script
from recorder.simulator.server import ListenError, Simulator, serve

__all__ = ["ListenError", "ScriptError", "Simulator", "Step", "load_script", "serve"]
