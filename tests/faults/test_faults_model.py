"""What the model lets a power cut leave: everything that POSIX allows, and nothing else."""

import os
import random

import pytest
from faults.model import crashes
from faults.trace import EXCHANGE, Call, earlier, later, without

OLD = {"a": b"old", "d": None}


def calls(*done):
    """Calls by name, path and what is told besides; all of them succeeded."""
    return [
        Call(number, 1, name, path, result=len(more.get("data", b"")), inode=int(name in ON_FILES), **more)
        for number, (name, path, more) in enumerate(done, 1)
    ]


ON_FILES = {"write", "fsync", "fdatasync", "ftruncate", "fallocate"}
CREATE = ("open", "d/x", {"flags": os.O_CREAT})
WRITE = ("write", "d/x", {"data": b"1234"})
SYNC, SYNC_FOLDER = ("fsync", "d/x", {}), ("fsync", "d", {})


def left(*done, before=OLD):
    """Every tree that a power cut at the very end may leave, without what stays as it is."""
    trace = calls(*done)
    found = [
        crash.tree for crash in crashes(before, trace, random.Random(1), 1000) if crash.place == len(trace)
    ]
    return [dict(sorted((tree.items() - before.items()) | {(f"-{p}", None) for p in before.keys() - tree.keys()}))
            for tree in found]  # fmt: skip


def same(found, *expected):
    assert sorted(map(str, expected)) == sorted(map(str, found))


def test_nothing_is_sure_of_a_new_file():
    same(left(CREATE, WRITE), {}, *({"d/x": data} for data in (b"", b"12", b"\0\0\0\0", b"1234")))


def test_a_synced_file_is_whole_but_may_have_no_name():
    same(left(CREATE, WRITE, SYNC), {}, {"d/x": b"1234"})


def test_a_synced_name_may_stand_for_anything():
    found = left(CREATE, WRITE, SYNC_FOLDER)
    same(found, *({"d/x": data} for data in (b"", b"12", b"\0\0\0\0", b"1234")))


def test_both_synced_are_there():
    same(left(CREATE, WRITE, SYNC, SYNC_FOLDER), {"d/x": b"1234"})


def test_a_file_is_known_by_its_number_when_the_name_it_was_opened_by_stands_for_another():
    moved = [CREATE, WRITE, ("link", "d/x", {"to": "d/y"}), ("unlink", "d/x", {}), CREATE]
    found = left(*moved, ("write", "d/x", {"data": b"56", "offset": 4, "unnamed": True}),
                 ("fsync", "d/x", {"unnamed": True}), SYNC_FOLDER)  # fmt: skip
    same(found, {"d/x": b"", "d/y": b"123456"})


def test_a_folder_s_sync_is_not_its_own_name_s():
    made = [("mkdir", "n", {}), ("open", "n/x", {"flags": os.O_CREAT}), ("fsync", "n", {})]
    same(left(*made), {}, {"n": None, "n/x": b""})
    same(left(*made, ("fsync", "", {})), {"n": None, "n/x": b""})


def test_a_renamed_file_is_the_old_or_the_new_one():
    new = [("open", "b", {"flags": os.O_CREAT}), ("write", "b", {"data": b"new"}), ("fsync", "b", {})]
    renamed = [*new, ("rename", "b", {"to": "a"})]
    same(left(*renamed), {}, {"b": b"new"}, {"a": b"new"})
    same(left(*renamed, ("fsync", "", {})), {"a": b"new"})


def test_an_exchange_is_one_step():
    before = {"one": None, "one/x": b"1", "two": None, "two/x": b"2"}
    swapped = ("renameat2", "one", {"to": "two", "flags": EXCHANGE})
    same(left(swapped, before=before), {}, {"one/x": b"2", "two/x": b"1"})


def test_names_of_two_folders_come_in_any_order():
    found = left(("link", "a", {"to": "d/a"}), ("unlink", "a", {}))
    same(found, {}, {"d/a": b"old"}, {"-a": None}, {"-a": None, "d/a": b"old"})


def test_a_name_that_came_and_went_may_come_back_until_its_folder_is_synced():
    same(left(CREATE, SYNC_FOLDER, ("unlink", "d/x", {})), {}, {"d/x": b""})
    same(left(CREATE, ("unlink", "d/x", {}), SYNC_FOLDER), {})


def test_a_cut_may_not_have_happened_and_what_was_synced_stays():
    grown = [
        ("write", "a", {"offset": 3, "data": b"er"}),
        ("fsync", "a", {}),
        ("ftruncate", "a", {"size": 1}),
    ]
    same(left(*grown), {"a": b"older"}, {"a": b"o"})


def test_room_kept_is_zeros():
    same(left(("fallocate", "a", {"size": 5})), {}, {"a": b"old\0\0"})
    same(left(("fallocate", "a", {"size": 5, "flags": 1})), {})


def test_what_failed_changes_nothing():
    failed = [Call(1, 1, "unlink", "a", result=-2), Call(2, 1, "unlink", "a")]
    assert [crash.tree for crash in crashes(OLD, failed, random.Random(1), 10)] == [OLD]


def test_after_a_failed_sync_no_later_one_helps():
    trace = [*calls(("write", "a", {"data": b"new"})), Call(2, 1, "fsync", "a", inode=1, result=-5)]
    trace += [Call(number, 1, "fsync", "a", inode=1, result=0) for number in (3, 4)]
    left_behind = [crash for crash in crashes(OLD, trace, random.Random(1), 10) if crash.place == 4]
    assert {b"old", b"new"} <= {crash.tree["a"] for crash in left_behind}


def test_what_was_said_belongs_to_the_crash():
    trace = [*calls(("write", "a", {"data": b"new"})), Call(0, 1, "say", "", data=b"done", result=4)]
    said = {(crash.tree["a"], crash.said) for crash in crashes(OLD, trace, random.Random(1), 10)}
    assert (b"old", b"done") in said


def test_traces_can_be_reordered():
    trace = calls(CREATE, WRITE, SYNC, SYNC_FOLDER)

    def kind(place):
        return lambda call: call is trace[place]

    assert [call.number for call in without(trace, kind(2))] == [1, 2, 4]
    assert [call.number for call in later(trace, kind(1), kind(2))] == [1, 3, 2, 4]
    assert [call.number for call in earlier(trace, kind(3), kind(1))] == [1, 4, 2, 3]
    with pytest.raises(AssertionError, match="nothing was omitted"):
        without(trace, lambda call: call.name == "rmdir")
