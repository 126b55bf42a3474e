"""What somebody who writes to disk may forget, as another trace of the same calls; and what a power cut makes of it."""

from faults.trace import LINKS, RENAMES, SYNCS, UNLINKS, WRITES, Call, Trace, earlier, later, without

from recorder import schema

AREA = "staging/from-archive"


def synced(what):
    """Whether a call syncs what the path says."""
    return lambda call: call.name in SYNCS and what(call.path)


def changed(names, what):
    return lambda call: call.name in names and what(call.path)


def is_staged(path):
    return path.startswith("staging/")


def is_day(path):
    return path.rpartition("/")[2].startswith("date=")


def is_table(path):
    return path in schema.TABLES


def is_root(path):
    return path == ""


def is_segment(path):
    """By its own name, or the one it was begun under."""
    return path.startswith("journal/") and not path.endswith(".lock")


def is_journal(path):
    return path == "journal"


def is_checkpoint(path):
    return path.endswith("recording.json.new")


sync_file, sync_day, sync_table, sync_root = map(synced, (is_staged, is_day, is_table, is_root))
sync_checkpoint, sync_journal, sync_segment = map(synced, (is_checkpoint, is_journal, is_segment))
sync_merged = synced(lambda path: path.startswith("staging/") and path.endswith(".parquet"))
sync_exchange = synced(lambda path: is_table(path.rpartition("/")[2]))
sync_staging, sync_area = (synced(lambda path, of=of: path == of) for of in ("staging", AREA))
sync_staged_day = synced(lambda path: path.startswith(f"{AREA}/") and is_day(path))
sync_staged_table = synced(lambda path: path.startswith(f"{AREA}/") and is_table(path.rpartition("/")[2]))
sync_rest = synced(lambda path: path == f"{AREA}/staging/rest.parquet")
sync_word = synced(lambda path: path == f"{AREA}.new")
replace_word = changed(RENAMES, lambda path: path == f"{AREA}.new")
place = changed(LINKS, is_staged)
replace_checkpoint = changed(RENAMES, is_checkpoint)
replace_first = changed(RENAMES, lambda path: path == "recording.json.new")
drop_segment = changed(UNLINKS, is_segment)
write_file = changed(WRITES, is_staged)


def say(call: Call) -> bool:
    return call.name == "say"


def without_one(trace: Trace, omitted, place) -> Trace:
    one = [call for call in trace if omitted(call)][place]
    return without(trace, lambda call: call is one)


def cut(trace: Trace, last) -> tuple[Trace, Trace]:
    """What was done up to a call, and what behind it."""
    place = next(place for place, call in enumerate(trace, 1) if last(call))
    return trace[:place], trace[place:]


def without_behind(trace: Trace, last, omitted) -> Trace:
    done, after = cut(trace, last)
    return done + without(after, omitted)


PUBLISHING = {
    "the file is never synced": (lambda trace: without(trace, sync_file), "unreadable"),
    "the file is synced behind its link": (lambda trace: later(trace, sync_file, place), "unreadable"),
    "the file is linked before it is written": (lambda trace: later(trace, write_file, place), "unreadable"),
    "the day is never synced": (lambda trace: without(trace, sync_day), "missing"),
    "the table is never synced": (lambda trace: without(trace, sync_table), "missing"),
    "the root is never synced": (lambda trace: without(trace, sync_root), "missing"),
    "the day is synced behind the end of the segment": (
        lambda trace: later(trace, sync_day, drop_segment), "missing",
    ),
    "the segment goes before the checkpoint": (
        lambda trace: earlier(trace, drop_segment, replace_first), "numbers",
    ),
    "the checkpoint is never synced": (lambda trace: without(trace, sync_checkpoint), "refused"),
    "the checkpoint's name is never synced": (lambda trace: without_one(trace, sync_root, -1), "flaw: damaged"),
    "the checkpoint is in place before it is synced": (
        lambda trace: earlier(trace, replace_checkpoint, sync_checkpoint), "refused",
    ),
}  # fmt: skip
"""What a renderer may forget, and what a power cut makes of it."""

COMPACTING = {
    "the merged file is never synced": (lambda trace: without(trace, sync_merged), "unreadable"),
    "the merged day is never synced": (lambda trace: without(trace, sync_day), "missing"),
    "the exchange is never synced": (lambda trace: without(trace, sync_exchange), "missing"),
}
"""What a compaction may forget."""

RENDERING_AGAIN = {
    "a staged day is never synced": (lambda trace: without(trace, sync_staged_day), "flaw: damaged"),
    "a staged table is never synced": (lambda trace: without(trace, sync_staged_table), "flaw: damaged"),
    "the staged tables' names are never synced": (lambda trace: without(trace, sync_area), "flaw: damaged"),
    "the name of all that is staged is not synced": (
        lambda trace: without_one(cut(trace, replace_word)[0], sync_staging, 0), "flaw: damaged",
    ),
    "what is staged is synced behind the word": (
        lambda trace: later(trace, sync_staged_day, replace_word), "flaw: damaged",
    ),
    "the rest of a file is never synced": (lambda trace: without(trace, sync_rest), "flaw: damaged"),
    "the word is never synced": (lambda trace: without(trace, sync_word), "flaw: damaged"),
    "the word's name is not synced": (lambda trace: without_one(trace, sync_staging, 1), "missing"),
    "the exchange is never synced": (
        lambda trace: without_behind(trace, replace_word, sync_exchange), "missing",
    ),
}  # fmt: skip
"""What rendering again may forget. What lacks of what the word speaks of is noticed, and costs no row."""

RECORDING = {
    "the segment is never synced": (lambda trace: without(trace, sync_segment), "missing"),
    "the journal's folder is never synced": (lambda trace: without(trace, sync_journal), "missing"),
    "the checkpoint's name is never synced": (lambda trace: without(trace, sync_root), "refused"),
    "a tick is promised before it is synced": (lambda trace: later(trace, sync_segment, say), "missing"),
}
"""What a journal may forget."""
