"""What the recorder does about what the gateway does, as pure functions of state, input and time.

Rules:
- No I/O, no clock, no task: everything that happens comes in as data, everything to be done goes out as data.
- A whole bad night can therefore be played in a test in milliseconds. ``capture.session`` is the shell that acts.
"""
