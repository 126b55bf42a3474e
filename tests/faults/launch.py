"""``python -m faults.launch SOCKET MODULE...``: a warm process that runs programs under the filter, each in a fork.

Rules:
- It imports the named modules once; a run is then a fork and costs milliseconds.
- A run is asked for on the socket: a JSON list of arguments (``["recorder.render", ROOT]``), with the descriptors
  for its output and its errors. Answered with the descriptor to supervise it by, and at its end with its exit code.
- The filter holds for all threads and children of the run, compiled code included, and lets no one out.
"""

import array
import ctypes
import importlib
import json
import os
import runpy
import socket
import sys
import traceback

from faults import calls

_NO_NEW_PRIVILEGES, _SET_FILTER, _NEW_LISTENER = 38, 1, 8


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def filtered() -> int:
    """Put this process under the filter; returns the descriptor on which its calls are heard and answered.

    Raises:
        OSError: this kernel does not allow it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    instructions = ctypes.create_string_buffer(calls.program())
    program = _Program(len(calls.program()) // 8, ctypes.addressof(instructions))
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    listener = libc.syscall(calls.NUMBERS["seccomp"], _SET_FILTER, _NEW_LISTENER, ctypes.byref(program))
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp user notification")
    return int(listener)


def serve(asked: socket.socket) -> None:
    """Run what is asked for, one after the other, until nobody can ask any more."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(asked, 65536, 2)
        if not request:
            return
        child = os.fork()
        if child == 0:
            os._exit(_run(asked, json.loads(request), descriptors))
        for descriptor in descriptors:
            os.close(descriptor)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        asked.send(json.dumps({"exit": ended}).encode())


def _run(asked: socket.socket, arguments: list[str], descriptors: list[int]) -> int:
    os.setpgid(0, 0)
    for number, descriptor in enumerate(descriptors, 1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    listener = filtered()
    handed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))]
    asked.sendmsg([json.dumps({"pid": os.getpid()}).encode()], handed)
    os.close(listener)
    asked.close()
    return _program(arguments)


def _program(arguments: list[str]) -> int:
    """As ``python FILE.py`` and ``python -m MODULE`` do it; returns the exit code."""
    sys.argv = list(arguments)
    try:
        if arguments[0].endswith(".py"):
            runpy.run_path(arguments[0], run_name="__main__")
        else:
            runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code
        if isinstance(code, str):
            sys.stderr.write(f"{code}\n")
        return code if isinstance(code, int) else int(code is not None)
    except BaseException:  # noqa: BLE001 - what the interpreter itself does at the top
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def main(descriptor: str, *modules: str) -> None:
    """Warm up, then serve."""
    for module in modules:
        importlib.import_module(module)
    serve(socket.socket(fileno=int(descriptor)))


if __name__ == "__main__":
    main(*sys.argv[1:])
