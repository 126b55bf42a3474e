"""Views that are computed, as pure functions on Arrow tables.

Rule: rows of one line come in, in order of ``seq``; nothing here reads a file.
"""
