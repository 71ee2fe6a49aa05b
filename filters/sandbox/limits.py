"""What a program may use, and what holds it to that."""

from __future__ import annotations

from dataclasses import dataclass

PRLIMIT, CHOOM, SETPRIV = "/usr/bin/prlimit", "/usr/bin/choom", "/usr/bin/setpriv"
"""Of util-linux, as is what runs before our code's fork and exec may not: a worker has threads, so nothing of Python's runs there."""

FIRST = ["/bin/sh", "-c", '"$@"; exit $?', "sh"]
"""The first process of the sandbox, with which all others end. bubblewrap's own would stand outside of the filter of calls, and what
it runs could write into its memory."""

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds of one run; what it started and left behind counts too.

    seconds: wall clock. cpu_seconds: of each process, by the kernel. memory: bytes that all processes hold together, looked at 50
    times a second, and that one may allocate, by the kernel. processes: with threads, by the kernel. open_files: of each process. disk:
    bytes of all files together, and of one. files: how many. output: bytes of both streams together.
    """

    seconds: float = 10.0
    cpu_seconds: int = 10
    memory: int = 1024 * MIB
    allocate: int = 0
    """Bytes of private memory that one process may ask for; 0: as many as ``memory``. Virtual machines ask for more than they use."""
    processes: int = 64
    open_files: int = 256
    disk: int = 64 * MIB
    files: int = 10_000
    output: int = 1 * MIB

    def command(self) -> list[str]:
        """What runs the program inside the sandbox with the kernel's part of the bounds.

        RLIMIT_NPROC is set there and not before: it then counts the sandbox's own user namespace (Linux 5.14), and not everything that
        the user runs elsewhere. RLIMIT_AS would stop what reserves address space (node, java); RLIMIT_DATA counts what is writable.
        """
        # A soft bound below the hard one: the signal says that it was the time.
        time = f"--cpu={self.cpu_seconds}:{self.cpu_seconds + 1}"
        bounds = {
            "nproc": self.processes, "nofile": self.open_files, "fsize": self.disk, "core": 0,
            "data": self.allocate or self.memory, "memlock": 64 << 10, "msgqueue": 0, "sigpending": 256, "rtprio": 0, "nice": 0,
        }  # fmt: skip
        return [*FIRST, PRLIMIT, time, *(f"--{name}={value}:{value}" for name, value in bounds.items()), "--"]
