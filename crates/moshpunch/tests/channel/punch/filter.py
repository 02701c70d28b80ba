"""Runs a program to which the kernel refuses pidfd_getfd(2), or which it kills for it: filter.py ERRNO|kill PROGRAM ARGUMENT..."""

import ctypes
import os
import struct
import sys

PIDFD_GETFD = 438
LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL_WITH, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2

action = KILL if sys.argv[1] == "kill" else FAIL_WITH | int(sys.argv[1])
program = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in [
        (LOAD_NUMBER, 0, 0, 0),
        (JUMP_IF_EQUAL, 0, 1, PIDFD_GETFD),
        (RETURN, 0, 0, action),
        (RETURN, 0, 0, ALLOW),
    ]
)
text = ctypes.create_string_buffer(program, len(program))


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


argument = Program(len(program) // 8, ctypes.addressof(text))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
assert libc.prctl(SECCOMP, FILTER, ctypes.byref(argument), 0, 0) == 0, os.strerror(ctypes.get_errno())
os.execvp(sys.argv[2], sys.argv[2:])
