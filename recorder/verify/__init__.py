"""Proves a recording whole, from its files alone.

``whole`` goes through them, ``rows`` counts, ``coverage`` follows the events, ``kept`` looks at what is no table.
"""

from recorder.verify.verdict import Flaw, Note, Verdict
from recorder.verify.whole import verify

__all__ = ["Flaw", "Note", "Verdict", "verify"]
