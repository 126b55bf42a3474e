"""Journal to tables: decoding, sorting, publishing, and the view of what is not published yet."""

from recorder.render.recover import Recovered, recover, resume
from recorder.render.unrendered import Tail, unrendered

__all__ = ["Recovered", "Tail", "recover", "resume", "unrendered"]
