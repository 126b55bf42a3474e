"""From the gateway to the journal.

``gateway`` alone knows ib_async; ``contracts`` says what to ask for and reads what comes back; ``ledger`` keeps the
holes on record; ``session`` is the story of a connection, and of the next one.
"""
