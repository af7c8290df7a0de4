"""Read documents where every socket is blocked: `python -m tests.offline FOLDER` in a process of its own.

Two locks. The kernel ends the process at the first socket it asks for, also one that a C library wants; and what Python
attempts is recorded, with files opened outside the project, the interpreter, FOLDER and TMPDIR. Prints what was
attempted, a line each, then `read N`. With `--probe` it attempts a socket after locking, to show that the lock holds.
"""

from __future__ import annotations

import contextlib
import ctypes
import platform
import socket
import struct
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from gateway import mapper, receipt, validate
from gateway.attachments import Rules
from gateway.forms import Forms
from gateway.mapper import Mappings
from gateway.signatures import TrustPolicy, verify
from schemas.errors import BramaError

PROJECT = Path(__file__).resolve().parents[1]
_WATCHED = ("socket.", "urllib.", "http.", "ftplib.", "smtplib.", "subprocess.", "os.system", "os.exec", "os.posix_")
_SOCKET_CALLS = {"x86_64": (41, 0xC000003E), "aarch64": (198, 0xC00000B7)}  # number of socket(2), AUDIT_ARCH
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF: load a word, jump if equal, return
_KILL, _ALLOW = 0x80000000, 0x7FFF0000  # SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ALLOW
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2  # prctl(2)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def lock() -> None:
    """From here on the kernel ends this process at socket(2). Raises OSError where it cannot be told so."""
    number, architecture = _SOCKET_CALLS[platform.machine()]
    steps = (
        (_LOAD, 0, 0, 4),  # seccomp_data.arch
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # seccomp_data.nr
        (_EQUAL, 0, 1, number),
        (_RETURN, 0, 0, _KILL),
        (_RETURN, 0, 0, _ALLOW),
    )
    program = _Program(len(steps), b"".join(struct.pack("HBBI", *step) for step in steps))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, first, second in ((_NO_NEW_PRIVILEGES, 1, None), (_SECCOMP, _FILTER, ctypes.byref(program))):
        if libc.prctl(option, ctypes.c_ulong(first), second, ctypes.c_ulong(0), ctypes.c_ulong(0)):
            raise OSError(ctypes.get_errno(), "the process cannot be locked")


def watch(folder: Path) -> list[str]:
    """What Python attempts from now on, as it happens."""
    attempted: list[str] = []
    fine = tuple(
        map(str, (PROJECT, folder, tempfile.gettempdir(), sys.base_prefix, sys.prefix, sysconfig.get_path("stdlib")))
    )

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(_WATCHED):
            attempted.append(f"{event} {arguments!r}")
        elif event == "open" and not str(arguments[0]).startswith(fine):
            attempted.append(f"open {arguments[0]}")

    sys.addaudithook(hook)
    return attempted


def main(folder: Path, *, probe: bool) -> None:
    """Every file of the folder through every reader; what a reader refuses is refused, anything else is an error."""
    forms, mappings, trust = Forms.load(), Mappings.load(), TrustPolicy()
    attempted = watch(folder)
    lock()
    if probe:
        socket.socket()
    files = sorted(folder.iterdir())
    for file in files:
        document = file.read_bytes()
        result = verify(document, trust, detached={"file": b"x"})
        for octets in filter(None, (document, result.signed_xml)):
            validate.check(octets, forms, mappings, attachments=Rules())
            for read in (
                lambda octets=octets: mapper.apply(octets, mappings, mapper.MessageFacts()),
                lambda octets=octets: receipt.read_receipt(octets),
                lambda octets=octets: receipt.check_receipt(octets, b"x", trust),
            ):
                with contextlib.suppress(BramaError):
                    read()
    print("\n".join([*attempted, f"read {len(files)}"]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), probe="--probe" in sys.argv)
