"""Runs a command as the unit confines it, without systemd being process 1: `confined.py UNIT COMMAND...`.

Read from the unit: SystemCallFilter and SystemCallErrorNumber, RestrictAddressFamilies,
MemoryDenyWriteExecute, NoNewPrivileges. The names in system call groups are systemd's own, and the filter is
built by the library that systemd builds it with.
"""

import ctypes
import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

_SET_NO_NEW_PRIVS, _SET_MDWE, _REFUSE_EXEC_GAIN = 38, 65, 1
_ALLOW, _ERRNO, _EQUAL = 0x7FFF0000, 0x00050000, 4
_libc = ctypes.CDLL(None, use_errno=True)


class Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp` of libseccomp."""

    _fields_ = [
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    ]


def settings(unit: Path, key: str) -> list[str]:
    lines = [line.partition("=") for line in unit.read_text().splitlines() if not line.startswith("#")]
    return [value for name, _, value in lines if name == key]


def allowed_calls(unit: Path) -> set[str]:
    """The filter's lines applied in order, groups spelt out."""
    allowed: set[str] = set()
    for line in settings(unit, "SystemCallFilter"):
        named = set().union(*(_spelt_out(name) for name in line.removeprefix("~").split()))
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed


def confine(unit: Path) -> None:
    if settings(unit, "MemoryDenyWriteExecute") == ["yes"]:
        _demand(_libc.prctl(_SET_MDWE, _REFUSE_EXEC_GAIN, 0, 0, 0))
    if settings(unit, "NoNewPrivileges") == ["yes"]:
        _demand(_libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    error = getattr(errno, settings(unit, "SystemCallErrorNumber")[0])
    filter_ = ctypes.c_void_p(seccomp.seccomp_init(_ERRNO | error))
    for name in allowed_calls(unit) - {"socket"}:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            _demand(seccomp.seccomp_rule_add_array(filter_, _ALLOW, number, 0, None))
    for family in settings(unit, "RestrictAddressFamilies")[0].split():
        equal = Comparison(0, _EQUAL, getattr(socket, family), 0)
        number = seccomp.seccomp_syscall_resolve_name(b"socket")
        _demand(seccomp.seccomp_rule_add_array(filter_, _ALLOW, number, 1, ctypes.byref(equal)))
    _demand(seccomp.seccomp_load(filter_))


def _spelt_out(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True
    )
    words = [line.strip() for line in listed.stdout.splitlines()[1:]]
    return set().union(*(_spelt_out(word) for word in words if word and not word.startswith("#")))


def _demand(result: int) -> None:
    if result < 0:
        raise OSError(-result, os.strerror(ctypes.get_errno() or -result))


if __name__ == "__main__":
    confine(Path(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
