"""Calls of the system that a program in the sandbox is refused: a filter for the kernel (seccomp), written by hand.

Namespaces and limits do most of the work. This closes what they leave open: memory that no limit sees (memfd, System V shared
memory), sockets of services whose files lie in a folder that is shown, and parts of the kernel that a compiler has no use for and that
escapes have gone through (io_uring, bpf, keys, user namespaces, tracing).
"""

from __future__ import annotations

import platform
import struct

from filters.contract import ConfigError

# name: (x86-64, arm64); -1 where there is none. From the kernel's syscall_64.tbl and asm-generic/unistd.h.
REFUSED = {
    "socket": (41, 198), "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "shmat": (30, 196),
    "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438),
    "kcmp": (312, 272), "perf_event_open": (298, 241), "bpf": (321, 280), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262), "quotactl": (179, 60), "syslog": (103, 116), "acct": (163, 89), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "swapon": (167, 224), "swapoff": (168, 225), "reboot": (169, 142), "ioperm": (173, -1), "iopl": (172, -1), "modify_ldt": (154, -1),
    "lookup_dcookie": (212, 18), "personality": (135, 92), "vhangup": (153, 58),
}  # fmt: skip

MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Column of REFUSED, and the kernel's name of the architecture."""

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _EPERM = 0x7FFF0000, 0x80000000, 0x00050000 | 1
_X32 = 0x40000000


def program() -> bytes:
    """Instructions of classic BPF, eight bytes each. Calls by another architecture's numbers end the program: they would
    pass a filter that counts by these. Raises ConfigError on a machine whose numbers are not here."""
    machine = MACHINES.get(platform.machine())
    if machine is None:
        raise ConfigError(f"the sandbox knows the system calls of x86-64 and arm64, and this is {platform.machine()}")
    column, name = machine
    numbers = [row[column] for row in REFUSED.values() if row[column] >= 0]
    out = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, name), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    out += [(_AT_LEAST, len(numbers) + 1, 0, _X32)]
    for i, number in enumerate(numbers):
        out.append((_EQUAL, len(numbers) - i, 0, number))
    out += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _EPERM)]
    return b"".join(struct.pack("=HBBI", *row) for row in out)
