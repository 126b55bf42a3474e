"""What stands behind the last record of a segment: a write that nobody finished, or damage.

Rules:
- A write cut by kill -9 or a power cut is the last thing in its segment, and the next segment goes on with the number
  behind the last whole record: no number is lost, and the ``restart`` gap covers the time.
- Where the next segment's numbers say that there was more, it is damage.
- Zeros at the end are room that was never written to.
"""

from recorder.journal.format import SEGMENT_MAGIC, Record, scan, version
from recorder.render.tables import Rendered

_PREAMBLE = len(SEGMENT_MAGIC) + 8


def cut(content: bytes, rendered: Rendered, follower: Record | None) -> int | None:
    """Where the torn tail of a segment begins, its size if there is none; None: the segment is damaged.

    ``follower`` is the first record of the next segment; None: there is none, or none that reads.
    """
    if not rendered.damage:
        return len(content)
    (tail, *more) = rendered.damage
    is_tail = not more and tail.offset > 0 and tail.offset + tail.size == len(content)
    goes_on = follower is None or follower.seq == max(rendered.next_seq, 0) or rendered.first_seq < 0
    return tail.offset if is_tail and goes_on else None


def is_barely_begun(content: bytes) -> bool:
    """Whether what is no segment is the beginning of one, cut before its first record; or only room for one."""
    written = content.rstrip(b"\0")
    return len(written) < _PREAMBLE and (
        SEGMENT_MAGIC[:21].startswith(written[:21]) or version(content) is not None
    )


def first_record(content: bytes) -> Record | None:
    """The first record that reads.

    Raises:
        NotASegmentError: the bytes are no segment.
    """
    return next((record for record in scan(content) if isinstance(record, Record)), None)
