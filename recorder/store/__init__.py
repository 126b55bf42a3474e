"""What is done to days that are over: made compact, and let go of when they are old."""

from recorder.store.build import be_modest
from recorder.store.compact import Compacted, Left, compact, waiting
from recorder.store.days import Day
from recorder.store.merge import Limits
from recorder.store.retain import ARCHIVE, Gone, Plan, plan, retain

__all__ = [
    "ARCHIVE",
    "Compacted",
    "Day",
    "Gone",
    "Left",
    "Limits",
    "Plan",
    "be_modest",
    "compact",
    "plan",
    "retain",
    "waiting",
]
