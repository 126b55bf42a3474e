"""Messages 91 and 92: the data of this contract must be asked of another one (CFDs, mostly)."""

from recorder.session.contracts import integer
from recorder.session.inputs import Rerouted
from recorder.wire.messages import REROUTES

_OWN = {str(msg_id).encode() for msg_id in REROUTES}


def reroute(frame: bytes) -> Rerouted | None:
    """What the frame says, prefix included; None for any other message, and for one that does not read."""
    match frame[4:].split(b"\0"):
        case [msg_id, req, con_id, exchange, b""] if msg_id in _OWN:
            try:
                return Rerouted(integer(req.decode()), integer(con_id.decode()), exchange.decode())
            except ValueError:
                return None
    return None
