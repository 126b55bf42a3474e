"""The journal: everything that came over the socket, as it came, before anything looked at it.

``format`` says what a segment's bytes mean, ``state`` what follows from its records, ``writer`` appends,
``folder`` knows which segments there are.
"""
