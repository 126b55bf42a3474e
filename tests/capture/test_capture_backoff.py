"""How long to wait, and how often to speak of it."""

import random
from itertools import islice

from recorder.session.backoff import Outage, backoff


def test_pauses_double_up_to_the_longest_each_from_its_upper_half():
    pauses = list(islice(backoff(1, 10, random.Random(1)), 8))
    for pause, whole in zip(pauses, (1, 2, 4, 8, 10, 10, 10, 10), strict=True):
        assert whole / 2 <= pause <= whole


def test_an_outage_is_spoken_of_when_it_begins_when_the_reason_changes_and_every_minute():
    outage = Outage()
    said = [outage.failed(reason, at) for at, reason in ((0, "a"), (5, "a"), (9, "b"), (60, "b"), (70, "b"))]
    assert said == [(True, True), (False, False), (True, True), (False, False), (False, True)]
    assert (outage.attempts, outage.seconds(70)) == (5, 70)
