"""What a recording holds besides its tables: journal, archive, bytes set aside, and what others put there."""

from collections.abc import Iterator
from pathlib import Path

from recorder import partition, schema
from recorder.config.wording import counted
from recorder.journal import folder
from recorder.journal.format import Damage, NotASegmentError, scan
from recorder.journal.stated import spoilt
from recorder.render.archive import archived
from recorder.verify.rows import Progress
from recorder.verify.verdict import Flaw, Note


def journal(root: Path) -> Iterator[Flaw]:
    """Damage within the segments that wait; what stands behind the last record may be being written."""
    for path in folder.segments(root):
        try:
            content = path.read_bytes()
            found = [one for one in scan(content) if isinstance(one, Damage)]
        except FileNotFoundError:
            continue  # published since it was listed
        except NotASegmentError as error:
            if content.strip(b"\0"):
                yield Flaw("damaged", f"{path}: {error}")
            continue
        for one in found:
            if one.offset + one.size < len(content):
                size = counted(one.size, "byte")
                text = f"{path}: not readable: {size} from {one.offset} on; recover saves the rest"
                yield Flaw("damaged", text)


def away(root: Path) -> Iterator[Flaw]:
    """Links to what is not there: a disk that is not mounted."""
    for path in partition.away(root):
        text = f"{path}: a link to {path.readlink()}, which is not there: mount what holds it"
        yield Flaw(
            "unreadable", f"{text}; delete the link if that is gone for good, and recover then", kept=True
        )


def stated(root: Path) -> Iterator[Flaw]:
    """``recording.json`` and its copy."""
    for path in spoilt(root):
        text = f"{root / path}: lost, spoilt, or older than the other; recover, or run, puts it right"
        yield Flaw("damaged", text)


def archive(root: Path, progress: Progress) -> Iterator[Flaw]:
    """Segments of the archive that do not decompress, or whose records do not read."""
    for one in archived(root):
        try:
            size = one.path.stat().st_size
            if any(isinstance(record, Damage) for record in scan(one.content())):
                yield Flaw("unreadable", f"{one.path}: holds damaged records", kept=True)
        except FileNotFoundError:
            continue  # its days in the archive are over
        except (OSError, NotASegmentError) as error:
            yield Flaw("unreadable", f"{one.path}: {error}", kept=True)
        progress(size)


def set_aside(root: Path) -> Iterator[Flaw]:
    """What could not be read when it was to be: a person has to look at it, and move it away."""
    segments = (path for path in sorted((root / "journal" / "set-aside").glob("*")) if path.suffix != ".torn")
    files = (path for path in sorted((root / "set-aside").rglob("*")) if path.is_file())
    for path in (*segments, *files):
        yield Flaw(
            "damaged", f"{path}: kept for you to look at; move it out of the recording then", kept=True
        )


def copies(root: Path) -> Iterator[Flaw]:
    """Parquet files among the tables that are not ours: whoever reads the whole folder has their rows too."""
    for path in _foreign(root):
        if path.suffix == ".parquet":
            text = f"{path}: not the recorder's; who reads the whole folder reads it: move it out"
            yield Flaw("misplaced", text)


def notes(root: Path) -> Iterator[Note]:
    """Torn tails that are kept, and other files among the tables that are not ours."""
    for path in sorted((root / "journal" / "set-aside").glob("*.torn")):
        size = counted(path.stat().st_size, "byte")
        yield Note("torn", f"{path}: {size} of a record that nobody finished writing")
    for path in _foreign(root):
        if path.suffix != ".parquet":
            yield Note("foreign", f"{path}: not the recorder's; move it out")


def _foreign(root: Path) -> Iterator[Path]:
    for table in schema.TABLES:
        for path in sorted((root / table).rglob("*")):
            if path.is_file() and (partition.parse(path) is None or path.parent.parent != root / table):
                yield path
