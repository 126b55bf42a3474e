"""A disk that is slow, hangs, or cannot keep a name: real calls, which are held up or refused."""

import errno
import os
import threading
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tape import names

from recorder.journal import folder, room, syncer
from recorder.journal.format import scan
from recorder.journal.lock import rendering
from recorder.journal.segment import Segment
from recorder.journal.syncer import JournalError
from recorder.journal.writer import Journal, now

AT_ONCE = 2.0
"""Seconds; an append that waits for a disk waits as long as a test lets it."""


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


def begun(root, fsync_seconds=0.01):
    return Journal(root, folder.create(root), fsync_seconds=fsync_seconds, clock=now)


def write(journal, payload=b"tick"):
    journal.read(payload, now())
    journal.count(1)


def payloads(root):
    found = [record for path in folder.segments(root) for record in scan(path.read_bytes())]
    return [record.payload for record in found if record.kind == "R"]


def until(true, seconds=5):
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.01)


def is_journal(descriptor):
    return Path(f"/proc/self/fd/{descriptor}").readlink().name == "journal"


def besides(monkeypatch, where, name, do):
    """Before the call is made ``do`` is, with its arguments."""
    real = getattr(where, name)
    monkeypatch.setattr(where, name, lambda *given: (do(*given), real(*given))[1])


def refuse(*_):
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def refuse_journal(descriptor):
    if is_journal(descriptor):
        refuse()


def once(do):
    """``do``, the first time."""
    left = [do]
    return lambda *given: left.pop()(*given) if left else None


# A name that is not durable. -----------------------------------------------------------------------------


def test_a_segment_is_not_durable_without_its_name(tmp_path):
    segment = Segment(tmp_path / "00000001.journal")
    segment.create(tmp_path / "next")
    segment.sync()
    assert not segment.is_durable
    segment.listed = True
    assert segment.is_durable
    segment.close()


def test_a_segment_whose_name_is_not_durable_is_not_let_go_and_the_end_says_so(root, monkeypatch):
    journal = begun(root)
    until(lambda: journal._segment.is_durable)
    besides(monkeypatch, os, "fsync", refuse_journal)
    write(journal)
    assert journal.roll(b"")
    write(journal)
    assert journal.roll(b"")
    until(lambda: journal.trouble)
    time.sleep(0.1)  # some turns more
    assert "the disk fails (Input/output error) since " in journal.trouble
    assert 2 == journal.before  # the first one's name was durable before
    monkeypatch.setattr(syncer, "CLOSE_SECONDS", 0.2)
    with pytest.raises(JournalError, match="not durable: Input/output error"):
        journal.close()


def test_a_name_that_a_sync_could_not_keep_is_given_anew_however_well_the_next_sync_goes(root, monkeypatch):
    monkeypatch.setattr(syncer, "RETRY_SECONDS", 0.05)
    journal, path = begun(root), folder.segment_path(root, 2)
    until(lambda: journal._segment.is_durable)
    write(journal)
    failed, synced = [], []

    def fail(_):
        failed.append(path.stat().st_ino)
        refuse()

    besides(monkeypatch, os, "fsync", lambda descriptor: is_journal(descriptor) and fail_once(descriptor))
    fail_once = once(fail)
    assert journal.roll(b"")
    until(lambda: failed)
    besides(
        monkeypatch,
        os,
        "fsync",
        lambda descriptor: is_journal(descriptor) and synced.append(path.stat().st_ino),
    )
    write(journal)
    until(lambda: journal.trouble is None)
    assert failed[0] != path.stat().st_ino == synced[-1]
    assert "00000002-name-failed.journal" in names(root / "journal" / "set-aside")
    journal.close()
    assert [b"tick", b"tick"] == payloads(root)


# The loop does not wait. ---------------------------------------------------------------------------------


class Meanwhile:
    """Appends while a call goes on that takes as long as the append does, and notes whether it was done at once."""

    def __init__(self, journal):
        self.at_once = []
        self._journal = journal

    def __call__(self, *_):
        append = threading.Thread(target=write, args=(self._journal,))
        append.start()
        append.join(AT_ONCE)
        self.at_once.append(not append.is_alive())


def test_an_append_waits_for_no_sync_while_a_segment_is_written_anew(root, monkeypatch):
    journal = begun(root)
    meanwhile = Meanwhile(journal)
    with monkeypatch.context() as slow:
        besides(slow, os, "fdatasync", once(refuse))
        write(journal)
        until(lambda: journal.trouble)
        besides(slow, os, "fdatasync", meanwhile)
        besides(slow, os, "fsync", meanwhile)
        until((root / "journal" / "set-aside" / "00000001-sync-failed.journal").exists)
        until(lambda: journal.is_well)
        until(lambda: len(meanwhile.at_once) >= 4)
    assert {True} == set(meanwhile.at_once)
    journal.close()
    assert len(meanwhile.at_once) + 1 == len(payloads(root))


def test_what_was_appended_while_a_segment_was_written_anew_is_synced_too(root, monkeypatch):
    journal, synced = begun(root), []
    with rendering(root):
        besides(monkeypatch, os, "fdatasync", once(refuse))
        write(journal)
        until((root / "journal" / "rescue").exists)
        time.sleep(0.05)
        write(journal, b"meanwhile")
        besides(monkeypatch, os, "fdatasync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    until(lambda: journal._segment.is_durable)
    assert [journal.path.stat().st_size] == synced
    journal.close()


def test_an_append_does_not_wait_while_spares_are_made(root, monkeypatch):
    journal = begun(root)
    meanwhile = Meanwhile(journal)
    besides(monkeypatch, room, "reserve", meanwhile)
    spares = syncer.Spares(root / "journal", 200_000)
    journal._syncer.spares = spares
    until(lambda: spares.left == [root / "journal" / "spare-1", root / "journal" / "spare-2"])
    journal.close()
    assert [True, True] == meanwhile.at_once
    assert "next-spare" not in names(root / "journal")


# A sync that does not come back. -------------------------------------------------------------------------


def test_a_sync_that_does_not_end_is_told_until_it_does(root, monkeypatch):
    journal, hangs, goes_on = begun(root, fsync_seconds=0.8), threading.Event(), threading.Event()
    until(lambda: journal._segment.is_durable)
    monkeypatch.setattr(syncer, "HANG_SECONDS", 0.3)
    besides(monkeypatch, os, "fdatasync", once(lambda _: (hangs.set(), goes_on.wait(10))))
    with capture_logs() as said:
        write(journal)
        assert hangs.wait(5)
        assert journal.trouble is None  # as long as a busy disk may take
        until(lambda: journal.trouble)
        assert journal.trouble.startswith("the disk hangs since ")
        write(journal)
        goes_on.set()
        until(lambda: journal.trouble is None)
        time.sleep(0.5)
        assert journal.trouble is None  # between its turns the thread is not late
    assert ["what is recorded now is written to a disk that does not make it durable"] == [
        line["event"] for line in said if line["log_level"] == "error"
    ]
    assert "the journal is whole on disk again" == said[-1]["event"]
    journal.close()


def test_what_a_disk_said_once_is_not_the_cause_of_what_comes_later(root, monkeypatch):
    journal = begun(root)
    monkeypatch.setattr(syncer, "HANG_SECONDS", 0.2)
    with capture_logs() as said:
        for ill in (refuse, lambda _: time.sleep(0.4)):
            besides(monkeypatch, os, "fdatasync", once(ill))
            write(journal)
            until(lambda: journal.trouble)
            until(lambda: journal.trouble is None)
    causes = [line["cause"] for line in said if line["event"] == "the journal is whole on disk again"]
    assert ["the disk fails (Input/output error)", "the disk is behind"] == causes
    journal.close()
