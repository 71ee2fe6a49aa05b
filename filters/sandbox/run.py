"""One program, run in a sandbox of bubblewrap's until it ends or goes over a bound."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filters.contract import ConfigError
from filters.sandbox import syscalls, view, watch
from filters.sandbox.limits import CHOOM, PRLIMIT, SETPRIV, Limits

STATUSES = ("ok", "failed", "timed_out", "too_much_memory", "too_much_output", "killed", "cannot_start")
MOST_FILES = 256
"""Files that are put into a sandbox: each takes a descriptor."""

POLL = 0.02
ENDING = 5.0
"""Seconds that the kernel is given to take a killed sandbox away."""

FIRST_UID = 1 << 30
"""Where root starts the sandbox: as a user of the worker's own, that owns nothing. Root's processes are not counted by RLIMIT_NPROC."""

_ALL_USERS = ["0", "0", "4294967295"]
"""The map of a root who may become anybody; of a container's without a daemon only some are mapped, and the kernel counts its processes."""

_XCPU, _XFSZ, _KILL = 128 + 24, 128 + 25, 128 + 9


@dataclass(frozen=True)
class Outcome:
    """status: one of STATUSES. code: the program's exit code (128 + n: ended by signal n), None if it was stopped or never began.
    output, errors: what it wrote, cut at the bound."""

    status: str
    code: int | None
    output: bytes
    errors: bytes


class Sandbox:
    """Made once a worker; ``run`` may be called as often as one likes.

    paths: folders to be seen beside /usr, read-only. Raises ConfigError, in one line, where no sandbox can be had.
    """

    def __init__(self, paths: Iterable[str] = (), *, who: str = "sandbox") -> None:
        self._programs = _programs(who)
        self._filter = syscalls.program()
        shown = {view.checked(path, who) for path in paths}
        self._mounts = view.mounts(p for p in shown if not any(p != q and p.startswith(q + "/") for q in shown))
        self._try(who)

    def _try(self, who: str) -> None:
        """That it starts, and that the kernel counts processes: it does not count root's, nor by user namespace before 5.14."""
        pipe = ["/bin/sh", "-c", "true | true"]
        tried = self.run(pipe)
        if tried.status != "ok":
            told = (tried.errors.decode("utf-8", "replace").strip().splitlines() or [tried.status])[-1]
            raise ConfigError(
                f"{who}: no sandbox can be made here ({told[:200]}): bubblewrap 0.8, Linux 5.14 and user namespaces are needed"
            )
        if self.run(pipe, limits=Limits(processes=2)).status == "ok":
            raise ConfigError(
                f"{who}: the kernel does not bound the processes of a sandbox here; run as a user who is not root"
            )

    def run(
        self,
        argv: Sequence[str],
        files: Mapping[str, bytes] | None = None,
        stdin: bytes = b"",
        limits: Limits | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Runs ``argv`` in the box with ``files`` (name -> content) there. Returns when nothing of it is left.

        Raises ValueError for names that lead out of the box.
        """
        limits, files = limits or Limits(), files or {}
        if len(files) > MOST_FILES:
            raise ValueError(f"{len(files)} files for a sandbox, and {MOST_FILES} are the most")
        for name in files:
            view.check_name(name)
        with contextlib.ExitStack() as stack:
            inner = self._inner(argv, files, limits, {**view.ENVIRONMENT, **(environment or {})}, stack)
            return _Run(stack, limits).go(self._outer(), inner, _memory(stdin, stack))

    def _inner(
        self,
        argv: Sequence[str],
        files: Mapping[str, bytes],
        limits: Limits,
        environment: Mapping[str, str],
        stack: contextlib.ExitStack,
    ) -> _Command:
        handed: list[int] = []

        def descriptor(content: bytes) -> str:
            handed.append(_memory(content, stack))
            return str(handed[-1])

        told = [
            "--unshare-all", "--unshare-user", "--disable-userns", "--as-pid-1", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
            "--clearenv", "--hostname", "sandbox", *self._mounts, "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev",
            "--size", str(limits.disk), "--perms", "0755", "--tmpfs", view.BOX, "--dir", f"{view.BOX}/tmp", "--symlink", "box/tmp", "/tmp",
            "--remount-ro", "/", "--chdir", view.BOX, "--seccomp", descriptor(self._filter),
        ]  # fmt: skip
        for name, value in environment.items():
            told += ["--setenv", name, value]
        for name, content in files.items():
            told += ["--perms", "0644", "--file", descriptor(content), f"{view.BOX}/{name}"]
        listed = descriptor(b"".join(os.fsencode(t) + b"\0" for t in told))
        return _Command([self._programs["bwrap"], "--args", listed], [*limits.command(), *argv], handed)

    def _outer(self) -> list[str]:
        """What bubblewrap is started by. Root leaves root first, in a view of the machine in which others can reach the paths
        that are shown."""
        first = [CHOOM, "-n", "1000", "--"]
        if os.geteuid() != 0 or Path("/proc/self/uid_map").read_text("ascii").split() != _ALL_USERS:
            return first
        uid = str(FIRST_UID + os.getpid())
        return [
            *first, self._programs["bwrap"], "--unshare-pid", "--die-with-parent", "--cap-drop", "ALL",
            "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", *self._mounts, "--dir", "/tmp", "--dev-bind", "/proc", "/proc",
            "--dev-bind", "/dev", "/dev", "--",
            SETPRIV, "--reuid", uid, "--regid", uid, "--clear-groups", "--",
        ]  # fmt: skip


@dataclass
class _Command:
    """bubblewrap with its arguments, what it runs, and the descriptors that it is handed."""

    bubblewrap: list[str]
    program: list[str]
    handed: list[int] = field(default_factory=list)


class _Run:
    """Follows one sandbox: reads what it says, looks at what it holds, ends it."""

    def __init__(self, stack: contextlib.ExitStack, limits: Limits) -> None:
        self.limits, self._stack = limits, stack
        self._said: dict[str, bytearray] = {name: bytearray() for name in ("output", "errors", "status", "alive")}
        self._selector = stack.enter_context(selectors.DefaultSelector())

    def go(self, outer: Sequence[str], inner: _Command, stdin: int) -> Outcome:
        ends = {name: self._pipe(name) for name in self._said}
        command = [
            *outer,
            *inner.bubblewrap,
            "--json-status-fd",
            str(ends["status"]),
            "--sync-fd",
            str(ends["alive"]),
            "--",
            *inner.program,
        ]
        process = subprocess.Popen(
            command, stdin=stdin, stdout=ends["output"], stderr=ends["errors"], env={}, close_fds=True, cwd="/",
            pass_fds=(*inner.handed, ends["status"], ends["alive"]),
        )  # fmt: skip
        try:
            for end in ends.values():
                os.close(end)
            ended = self._follow(process)
        finally:
            process.kill()
            process.wait()
            self._drain()
        return self._outcome(ended, process.returncode)

    def _pipe(self, name: str) -> int:
        """The end that is written to; what comes is kept under ``name``."""
        low, high = os.pipe()
        self._stack.callback(os.close, low)
        os.set_blocking(low, False)
        self._selector.register(low, selectors.EVENT_READ, name)
        return high

    def _follow(self, process: subprocess.Popen[bytes]) -> str | None:
        """Until it ends; or why it has to."""
        ending = os.pidfd_open(process.pid)
        self._stack.callback(os.close, ending)
        self._selector.register(ending, selectors.EVENT_READ, None)
        deadline, looked = time.monotonic() + self.limits.seconds, time.monotonic()
        while process.poll() is None:
            self._read(POLL)
            now = time.monotonic()
            if len(self._said["output"]) + len(self._said["errors"]) > self.limits.output:
                return "too_much_output"
            if now > deadline:
                return "timed_out"
            if now - looked >= POLL:
                looked = now
                if (over := self._over(process.pid)) is not None:
                    return over
        return None

    def _over(self, pid: int) -> str | None:
        pids = list(watch.tree(pid))
        if watch.memory(pids, self.limits.memory) > self.limits.memory:
            return "too_much_memory"
        return "too_much_output" if watch.files(pids[-1], view.BOX) > self.limits.files else None

    def _read(self, wait: float) -> None:
        for key, _ in self._selector.select(wait):
            if key.data is None:  # It has ended.
                self._selector.unregister(key.fd)
            else:
                self._take(key)

    def _take(self, key: selectors.SelectorKey) -> None:
        try:
            got = os.read(key.fd, 1 << 16)
        except BlockingIOError:
            return
        if not got:
            self._selector.unregister(key.fd)
        elif key.data != "alive" and len(self._said[key.data]) <= self.limits.output:
            self._said[key.data] += got

    def _drain(self) -> None:
        """Until nothing of it is left: its processes hold ``alive`` open, and what they may write there is not kept."""
        deadline = time.monotonic() + ENDING
        while self._selector.get_map() and time.monotonic() < deadline:
            self._read(POLL)

    def _outcome(self, ended: str | None, code: int) -> Outcome:
        output, errors = (bytes(self._said[name][: self.limits.output]) for name in ("output", "errors"))
        if ended is not None:
            return Outcome(ended, None, output, errors)
        # bubblewrap tells of an exit only if the program was begun; nothing inside can write there.
        if b'"exit-code"' not in self._said["status"]:
            return Outcome("killed" if code in (-9, _KILL) else "cannot_start", None, output, errors)
        if len(self._said["output"]) + len(self._said["errors"]) > self.limits.output:
            return Outcome("too_much_output", None, output, errors)
        status = {0: "ok", _XCPU: "timed_out", _XFSZ: "too_much_output", _KILL: "killed"}.get(code, "failed")
        return Outcome(status, code, output, errors)


def _memory(content: bytes, stack: contextlib.ExitStack) -> int:
    """A file without a name: nothing is left of it, whatever happens to us."""
    number = os.memfd_create("sandbox")
    stack.callback(os.close, number)
    with open(number, "wb", closefd=False) as out:
        out.write(content)
    os.lseek(number, 0, os.SEEK_SET)
    return number


def _programs(who: str) -> dict[str, str]:
    if not sys.platform.startswith("linux"):
        raise ConfigError(
            f"{who}: programs are run in a sandbox, which takes Linux (bubblewrap); there is none for this system"
        )
    bwrap = shutil.which("bwrap", path="/usr/bin:/bin:/usr/local/bin")
    if bwrap is None:
        raise ConfigError(
            f"{who}: programs are run in a sandbox, and bubblewrap is not installed: apt install bubblewrap"
        )
    missing = [p for p in (PRLIMIT, CHOOM, SETPRIV) if not os.access(p, os.X_OK)]
    if missing:
        raise ConfigError(f"{who}: the sandbox needs {', '.join(missing)}: apt install util-linux")
    return {"bwrap": bwrap}
