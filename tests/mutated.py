"""Frames a few changes away from one that reads."""

from hypothesis import strategies as st

from recorder.wire.layouts import frame

HOSTILE = st.sampled_from(
    ["", "-1", "0", "3", "9" * 5000, "9" * 19, "NaN", "Infinity", "1e999", "\u0663", "con_id"]
)
"""Fields as no gateway should send them."""


def mutated(message):
    """Frames a few changes away from one that reads: fields replaced, left out, doubled, cut within."""
    texts = message[4:].decode().split("\0")[:-1]
    change = st.tuples(
        st.integers(1, len(texts)), st.sampled_from(["replace", "drop", "insert", "cut"]), HOSTILE
    )

    def apply(changes):
        found = list(texts)
        for place, how, text in changes:
            end = place + (how != "insert")
            found[place:end] = {"drop": [], "cut": []}.get(how, [text])
            del found[place if how == "cut" else len(found) :]
        return frame(*found)

    return st.lists(change, min_size=1, max_size=4).map(apply)
