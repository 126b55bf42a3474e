"""The harness itself: every change is seen whoever makes it, and what is answered is what happened."""

import errno
import signal
from collections import Counter

import pytest
from faults.supervise import DO, KILL, SHORT, Answer, Supervisor


@pytest.fixture(scope="module")
def supervisor():
    with Supervisor("pyarrow", "shutil", "threading") as running:
        yield running


@pytest.fixture
def run(supervisor, tmp_path):
    """Runs a text as a program in a folder of its own."""
    root = tmp_path / "data"
    root.mkdir()

    def running(program, judge=lambda _call: DO):
        text = tmp_path / "program.py"
        text.write_text(f"import os, sys\nroot = sys.argv[1]\n{program}")
        return supervisor.run(root, text, root, judge=judge)

    return root, running


EVERYTHING = """
os.chdir(root)
os.mkdir("a")
with open("a/x", "wb") as file:
    file.write(b"12345678")
    file.flush()
    os.fsync(file.fileno())
    os.pwrite(file.fileno(), b"ab", 2)
    os.writev(file.fileno(), [b"9", b"0"])
    os.ftruncate(file.fileno(), 9)
    os.fdatasync(file.fileno())
os.link("a/x", "a/y")
folder = os.open("a", os.O_RDONLY)
os.rename("y", "z", src_dir_fd=folder, dst_dir_fd=folder)
os.unlink("x", dir_fd=folder)
os.mkdir(root + "/b")
os.rmdir("b")
print("done")
"""


def test_every_change_is_seen_in_order_and_happens(run):
    root, running = run
    done = running(EVERYTHING)
    assert (done.exit, done.out, done.err) == (0, "done\n", "")
    assert (root / "a" / "z").read_bytes() == b"12ab56789"
    assert [path.name for path in root.rglob("*")] == ["a", "z"]
    assert [(call.name.removesuffix("at"), call.path, call.to, call.data) for call in done.trace if call.number] == [
        ("mkdir", "a", "", b""),
        ("open", "a/x", "", b""),
        ("write", "a/x", "", b"12345678"),
        ("fsync", "a/x", "", b""),
        ("pwrite64", "a/x", "", b"ab"),
        ("writev", "a/x", "", b"90"),
        ("ftruncate", "a/x", "", b""),
        ("fdatasync", "a/x", "", b""),
        ("link", "a/x", "a/y", b""),
        ("rename", "a/y", "a/z", b""),
        ("unlink", "a/x", "", b""),
        ("mkdir", "b", "", b""),
        ("rmdir", "b", "", b""),
    ]  # fmt: skip
    assert b"".join(call.data for call in done.trace if call.name == "say") == b"done\n"
    assert [call.offset for call in done.trace if call.data][:3] == [0, 2, 8]


OTHERS = {
    "compiled code": "import pyarrow as pa; pa.OSFile(root + '/x', 'wb').write(b'123')",
    "a thread": "import threading; t = threading.Thread(target=lambda: open(root + '/x', 'w').write('123'));"
    "t.start(); t.join()",
    "a child": "import subprocess; subprocess.run([sys.executable, '-c', 'import sys; open(sys.argv[1], \"w\")"
    ".write(\"123\")', root + '/x'], check=True)",
    "sendfile": "import shutil; open(root + '/w', 'w').write('123'); shutil.copyfile(root + '/w', root + '/x')",
}


@pytest.mark.parametrize("who", OTHERS)
def test_whoever_writes_is_seen(run, who):
    root, running = run
    done = running(OTHERS[who])
    assert (done.exit, done.err) == (0, "")
    assert [call.data for call in done.trace if call.path == "x" and call.data] == [b"123"]
    assert (root / "x").read_bytes() == b"123"


def at(number, answer):
    return lambda call: answer if call.number == number else DO


def test_a_refused_call_does_not_happen_and_its_error_is_the_one_given(run):
    root, running = run
    for number in range(1, 14):
        done = running(f"try:\n    {EVERYTHING.strip().replace(chr(10), chr(10) + '    ')}\n"
                       "except OSError as error:\n    print(error.errno)",
                       at(number, Answer(error=errno.EDQUOT)))  # fmt: skip
        assert (done.exit, done.out) == (0, f"{errno.EDQUOT}\n")
        assert [call.result for call in done.trace if call.number == number] == [-errno.EDQUOT]
        for path in sorted(root.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()


def test_a_short_write_writes_its_half(run):
    root, running = run
    done = running("print(os.write(os.open(root + '/x', os.O_WRONLY | os.O_CREAT), b'123456'))", at(2, SHORT))
    assert (done.out, (root / "x").read_bytes()) == ("3\n", b"123")


def test_an_interrupted_write_is_tried_again_by_the_interpreter(run):
    root, running = run
    done = running("os.write(os.open(root + '/x', os.O_WRONLY | os.O_CREAT), b'12')",
                   at(2, Answer(error=errno.EINTR)))  # fmt: skip
    assert ([call.result for call in done.trace], (root / "x").read_bytes()) == ([0, -errno.EINTR, 2], b"12")


def test_killed_right_before_the_call(run):
    root, running = run
    done = running(EVERYTHING, at(5, KILL))
    assert done.exit == -signal.SIGKILL
    assert (root / "a" / "x").read_bytes() == b"12345678"
    assert [call.result for call in done.trace][-1] is None


def test_calls_elsewhere_pass_uncounted(run, tmp_path):
    _, running = run
    done = running(f"open({str(tmp_path / 'elsewhere')!r}, 'w').write('x')", at(1, KILL))
    assert (done.exit, Counter(call.name for call in done.trace)) == (0, Counter())
