"""What a stop costs whose last bytes the disk did not take. Pure."""

from pathlib import Path

from recorder.journal.syncer import JournalError


def lost(root: Path, refused: OSError, rows: int | None) -> JournalError | None:
    """What to say of it.

    Args:
        root: the recording.
        refused: what the disk said as the journal was closed.
        rows: how many are in no table, behind the last rendering; None: not known.

    Returns:
        The error to end with; None: every row is in its table all the same.
    """
    if rows == 0:
        return None
    what = "the last rows may be lost" if rows is None else f"{rows:,} rows are lost, the last ones"
    why = f"they were in memory, and the disk did not take them: {refused.strerror or refused}"
    return JournalError(refused.errno, f"{root}: {what}: {why}")
