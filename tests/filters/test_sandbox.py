"""What a program in the sandbox tries against the machine it runs on, as whoever runs the tests and, where that is root, as nobody."""

from __future__ import annotations

import os
import pickle
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from filters.contract import ConfigError
from filters.sandbox import Limits, Sandbox, syscalls
from filters.sandbox import run as running

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("bwrap") is None, reason="bubblewrap is not installed here"
)

PYTHON = "/usr/bin/python3"
NOBODY = 65534
MIB = 1 << 20
SMALL = Limits(seconds=1.5, memory=256 * MIB, processes=24, disk=8 * MIB, files=200, output=64 << 10)


class Nobody:
    """A sandbox that somebody without rights runs: in a process of its own, since there is no way back to root."""

    def run(self, *given, **options):
        low, high = os.pipe()
        if (child := os.fork()) == 0:
            try:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
                os.write(high, pickle.dumps(Sandbox().run(*given, **options)))
            finally:
                os._exit(0)
        os.close(high)
        with os.fdopen(low, "rb") as told:
            out = told.read()
        os.waitpid(child, 0)
        return pickle.loads(out)


@pytest.fixture(scope="module")
def machine():
    """One sandbox for all tests; skips where none can be had, as in a container without user namespaces."""
    if not Path(PYTHON).exists():
        pytest.skip(f"there is no {PYTHON} to attack with")
    try:
        return Sandbox()
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["as who runs the tests", "as nobody"])
def sandbox(request, machine):
    if request.param == "as nobody":
        if os.geteuid() != 0:
            pytest.skip("only root can become nobody")
        return Nobody()
    return machine


def attack(sandbox, program, limits=SMALL, files=None, **options):
    """What came of it; and nothing of it is left running, or lies in the folders that everyone may write to."""
    mark, before = secrets.token_hex(8), _lying_about()
    argv = [PYTHON, "-IS", "-c", textwrap.dedent(program), mark]
    out = sandbox.run(argv, files, limits=limits, **options)
    assert _running(mark) == []
    assert _lying_about() <= before
    return out


def _running(mark: str) -> list[int]:
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in place.read_bytes():
                found.append(int(place.parent.name))
        except OSError:
            continue
    return found


def _lying_about() -> set[str]:
    """Of ours, or of users that nobody knows: others write there too."""
    out = set()
    for folder in ("/tmp", "/dev/shm", "/var/tmp"):
        for entry in os.scandir(folder):
            try:
                if entry.stat(follow_symlinks=False).st_uid >= NOBODY:
                    out.add(entry.path)
            except OSError:
                continue
    return out


def test_a_program_gets_its_files_and_input_and_its_exit_code_and_both_streams_come_back(sandbox):
    out = attack(
        sandbox,
        "import sys; print(open('a b/c.txt').read(), sys.stdin.read()); print('e', file=sys.stderr); sys.exit(3)",
        files={"a b/c.txt": b"text"},
        stdin=b"input",
    )
    assert (out.status, out.code, out.output, out.errors) == ("failed", 3, b"text input\n", b"e\n")


def test_a_fork_bomb_is_held_to_its_processes_and_ended(sandbox):
    out = attack(sandbox, """
        import os, sys
        while True:
            try:
                if os.fork() == 0: os.write(1, b"x")
            except OSError: pass
    """)  # fmt: skip
    assert out.status == "timed_out"
    assert 4 < len(out.output) < SMALL.processes


def test_an_endless_loop_is_ended_by_the_clock_and_by_the_kernel(sandbox):
    assert attack(sandbox, "while True: pass", Limits(seconds=0.5)).status == "timed_out"
    by_kernel = attack(sandbox, "while True: pass", Limits(seconds=20, cpu_seconds=1))
    assert by_kernel.status == "timed_out" and by_kernel.code is not None
    asleep = attack(
        sandbox,
        "import signal, time; [signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)]; time.sleep(99)",
        Limits(seconds=0.5),
    )
    assert asleep.status == "timed_out"


@pytest.mark.parametrize("stream", [1, 2])
def test_ten_gigabytes_of_output_are_cut_at_the_bound(sandbox, stream):
    out = attack(sandbox, f"import os\nfor i in range(10240): os.write({stream}, b'x' * (1 << 20))")
    assert out.status == "too_much_output"
    assert len(out.output) <= SMALL.output and len(out.errors) <= SMALL.output


def test_ten_gigabytes_of_memory_are_not_had_at_once(sandbox):
    out = attack(sandbox, "x = bytearray(10 << 30)")
    assert out.status == "failed" and b"MemoryError" in out.errors


def test_memory_of_many_processes_and_memory_that_is_shared_count_together(sandbox):
    many = """
        import os, time
        for i in range(12):
            if os.fork() == 0: break
        x = b"x" * (60 << 20); time.sleep(60)
    """
    assert attack(sandbox, many).status == "too_much_memory"
    shared = (
        "import mmap, time\nx = mmap.mmap(-1, 10 << 30)\nfor i in range(0, 10 << 30, 4096): x[i] = 1\ntime.sleep(60)"
    )
    assert attack(sandbox, shared).status == "too_much_memory"


def test_memory_that_no_limit_sees_is_not_to_be_had(sandbox):
    out = attack(sandbox, """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        for call in (lambda: os.memfd_create("x"), lambda: open("/dev/shm/x", "w")):
            try: call(); print("had")
            except OSError: pass
        print(libc.shmget(0, 1 << 30, 0o1666))
    """)  # fmt: skip
    assert (out.status, out.output) == ("ok", b"-1\n")


def test_a_file_of_ten_gigabytes_and_many_files_stop_at_the_bound(sandbox):
    large = "import os\nwith open('x', 'wb') as f:\n  for i in range(10240): f.write(b'x' * (1 << 20))"
    assert attack(sandbox, large).status in ("failed", "too_much_output")
    several = """
        import os
        for i in range(100):
            with open(str(i), "wb") as f: f.write(b"x" * (1 << 20))
    """
    out = attack(sandbox, several)
    assert out.status == "failed" and b"No space left" in out.errors
    many = "import time\nfor i in range(5000): open(str(i), 'w').close()\ntime.sleep(60)"
    assert attack(sandbox, many).status == "too_much_output"


KNOCK = """
    import socket, sys
    for family, kind, at in (
        (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", {port})), (socket.AF_UNIX, socket.SOCK_STREAM, "\\0{name}"),
        (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", {port})), (socket.AF_UNIX, socket.SOCK_STREAM, "{path}"),
    ):
        try:
            s = socket.socket(family, kind)
            s.connect(at); s.send(b"hello"); print("sent", family, kind)
        except OSError as error: print(type(error).__name__)
    try: print(sorted(open("/proc/net/dev").read().split(":")[0].split()[-1:]))
    except OSError: pass
"""


@pytest.mark.parametrize("filtered", [True, False], ids=["with the filter of calls", "by namespaces alone"])
def test_no_listener_of_the_machine_is_reached(machine, tmp_path, monkeypatch, filtered):
    if not filtered:
        monkeypatch.setattr(machine, "_filter", struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000))
    name = secrets.token_hex(8)
    path = tmp_path / "s"
    listeners = [socket.socket(socket.AF_INET), *(socket.socket(socket.AF_UNIX) for _ in range(2))]
    for listener, at in zip(listeners, [("127.0.0.1", 0), f"\0{name}", str(path)], strict=True):
        listener.bind(at)
        listener.listen()
        listener.setblocking(False)
    port = listeners[0].getsockname()[1]
    out = attack(machine, KNOCK.format(port=port, name=name, path=path))
    # A datagram can be sent to nobody, on a loopback device that is the sandbox's own.
    assert b"sent 2 1" not in out.output and b"sent 1 1" not in out.output
    assert out.output.count(b"PermissionError") == (4 if filtered else 0)
    assert b"['lo']" in out.output
    for listener in listeners:
        with pytest.raises(BlockingIOError):
            listener.accept()
        listener.close()


def test_nothing_can_be_written_outside_of_its_folder(sandbox):
    out = attack(sandbox, """
        import os
        for path in ("/x", "/usr/x", "/usr/bin/python3", "/etc/x", "/dev/x", "/dev/shm/x", "/proc/sys/kernel/core_pattern", "/root/x",
                     "/proc/sysrq-trigger", "/bin", "/var/x"):
            try: os.close(os.open(path, os.O_WRONLY | os.O_CREAT)); print("opened", path)
            except OSError: pass
        for call in (lambda: os.mkdir("/y"), lambda: os.chmod("/usr", 0o777), lambda: os.rename("/box", "/y"),
                     lambda: os.mknod("d", 0o20666, 0x101)):
            try: call(); print("done")
            except OSError: pass
        open("/tmp/x", "w").close(); open("/box/x", "w").close(); print("own")
    """)  # fmt: skip
    assert out.output == b"own\n"


def test_no_home_no_environment_and_no_other_process_can_be_seen(sandbox, monkeypatch, tmp_path):
    secret = secrets.token_hex(16)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    (tmp_path / "key").write_text(secret)
    out = attack(sandbox, f"""
        import os
        print(sorted(os.environ), os.getcwd())
        for place in ({str(Path.home())!r}, {str(tmp_path)!r}, "/etc/passwd", "/etc/shadow", "/home", "/var", "/run", "/sys"):
            if os.path.exists(place) and os.listdir(place): print("see" "n", place)
        for pid in filter(str.isdigit, os.listdir("/proc")):
            for name in ("environ", "cmdline", "mountinfo"):
                try: print(open(f"/proc/{{pid}}/{{name}}", "rb").read() if name != "mountinfo" else "")
                except OSError: pass
        print(len([p for p in os.listdir("/proc") if p.isdigit()]))
    """)  # fmt: skip
    assert out.output.startswith(b"['HOME', 'LANG', 'LC_ALL', 'PATH', 'PWD', 'TMPDIR', 'TZ'] /box\n")
    assert b"seen" not in out.output and secret.encode() not in out.output + out.errors
    assert int(out.output.split()[-1]) <= 3


def test_no_right_no_descriptor_and_no_way_to_more_of_them_comes_along(sandbox):
    out = attack(sandbox, """
        import ctypes, os
        told = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
        print(*(told[name].strip() for name in ("CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp")))
        print([os.readlink(f"/proc/self/fd/{n}").split(":")[0] for n in range(3, 256) if os.path.lexists(f"/proc/self/fd/{n}")])
        libc = ctypes.CDLL(None, use_errno=True)
        print([libc.unshare(flag) for flag in (0x10000000, 0x00020000, 0x40000000)], os.getuid() == 0)
        try: os.setuid(0); print("root")
        except OSError: pass
    """)  # fmt: skip
    # Beside its streams, the end of a pipe by which its own end is noticed.
    held, none = ["pipe"], "0" * 16
    assert out.output.decode() == f"{none} {none} {none} 1 2\n{held}\n[-1, -1, -1] False\n"


def test_user_namespaces_are_closed_without_the_filter_of_calls_too(machine, monkeypatch):
    monkeypatch.setattr(machine, "_filter", struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000))
    out = attack(machine, "import ctypes; print(ctypes.CDLL(None).unshare(0x10000000))")
    assert out.output == b"-1\n"


def test_what_outlives_its_parent_does_not_outlive_the_run(sandbox):
    out = attack(sandbox, """
        import os, signal, time
        if os.fork() == 0:
            os.setsid()
            for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(s, signal.SIG_IGN)
            if os.fork() == 0:
                for fd in (0, 1, 2): os.close(fd)
                time.sleep(300)
            os._exit(0)
        time.sleep(0.2)
    """)  # fmt: skip
    assert (out.status, out.code) == ("ok", 0)


def test_a_sandbox_ends_when_whoever_started_it_is_killed(machine):
    mark = secrets.token_hex(8)
    if (child := os.fork()) == 0:
        machine.run([PYTHON, "-IS", "-c", "import time; time.sleep(300)", mark], limits=Limits(seconds=300))
        os._exit(0)
    _until(lambda: any(b"time.sleep(300)" in Path(f"/proc/{p}/cmdline").read_bytes()[:60] for p in _running(mark)))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    _until(lambda: not _running(mark))


def _until(holds, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_links_in_its_folder_lead_nowhere(sandbox, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    victim.chmod(0o666)
    out = attack(
        sandbox,
        f"""
        import os
        os.remove("a"); os.symlink({str(victim)!r}, "a"); os.symlink("/", "root"); os.symlink("/proc/1/root", "other")
        for path in ("a", "root" + {str(victim)!r}, "other" + {str(victim)!r}, "/proc/self/cwd/../.." + {str(victim)!r}):
            try: print(open(path).read()); open(path, "w").write("changed")
            except OSError: pass
        """,
        files={"a": b"ours"},
    )
    assert (out.output, victim.read_text()) == (b"", "as it was")


def test_processes_of_the_machine_are_not_killed_or_traced(sandbox):
    sentinel = subprocess.Popen(["/bin/sleep", "60"])
    try:
        out = attack(sandbox, f"""
            import ctypes, os
            libc = ctypes.CDLL(None)
            print(libc.ptrace(16, {sentinel.pid}, 0, 0), libc.ptrace(16, 1, 0, 0))
            for pid in range(3, 70000):
                if pid != os.getpid():
                    try: os.kill(pid, 9); print("killed", pid)
                    except OSError: pass
            os.kill(1, 9); os.kill(-1, 9); print("alive")
        """)  # fmt: skip
        assert out.output.splitlines() in ([b"-1 -1", b"alive"], [b"-1 -1"])
        assert sentinel.poll() is None
    finally:
        sentinel.kill()
        sentinel.wait()


NAMES = ["-rf", "a\nb", "--ro-bind", "$(id)", "a b/'c\"", "é\u202e", "*", "x" * 255, "a/tmp"]


def test_file_names_of_any_characters_are_names_and_none_leads_out(machine):
    listed = attack(
        machine,
        "import os; print(sorted(os.path.relpath(os.path.join(at, n), '.') for at, _, names in os.walk('.') for n in names))",
        files=dict.fromkeys(NAMES, b""),
    )
    assert listed.output.decode() == f"{sorted(NAMES)}\n"
    for name in ("../x", "/x", "", ".", "a/../../x", "a//b", "a\0b", "tmp/x", "x" * 256, "a/" * 600 + "b"):
        with pytest.raises(ValueError, match="name of a file"):
            machine.run(["/bin/true"], {name: b""})


def test_a_run_leaves_no_descriptor_open(machine):
    before = len(list(Path("/proc/self/fd").iterdir()))
    machine.run(["/bin/true"], {"a": b"x"}, stdin=b"y")
    machine.run(["/bin/sleep", "9"], limits=Limits(seconds=0.1))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_program_that_is_not_there_fails_and_cannot_pretend_that_the_sandbox_did(machine):
    assert machine.run(["/usr/bin/no-such-program"]).status == "failed"
    pretends = attack(machine, "import sys; print('bwrap: no permission', file=sys.stderr); sys.exit(1)")
    assert pretends.status == "failed"


def test_calls_by_the_numbers_of_another_architecture_are_refused():
    """The x32 numbers of x86-64 begin at 2^30: they would pass a comparison with these."""
    rows = list(struct.iter_unpack("=HBBI", syscalls.program()))
    column, machine = next(iter(syscalls.MACHINES.values()))
    refused = {row[column] for row in syscalls.REFUSED.values() if row[column] >= 0}

    def answer(arch, number):
        at, held = 0, 0
        while True:
            code, yes, no, value = rows[at]
            if code == 0x06:
                return value
            held = {4: arch, 0: number}[value] if code == 0x20 else held
            jumps = {0x15: held == value, 0x35: held >= value}.get(code)
            at += 1 if jumps is None else 1 + (yes if jumps else no)

    if os.uname().machine == "x86_64":
        assert answer(0x40000003, 1) == 0x80000000
        assert answer(machine, 0x40000000 | 41) == 0x00050001
        assert {n for n in range(500) if answer(machine, n) != 0x7FFF0000} == refused


def test_where_no_sandbox_can_be_had_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(running.shutil, "which", lambda *_, **__: None)
    with pytest.raises(ConfigError, match=r"code: .*apt install bubblewrap$"):
        Sandbox(who="code")
    monkeypatch.setattr(running.shutil, "which", lambda *_, **__: "/bin/false")
    with pytest.raises(ConfigError, match=r"user namespaces are needed$") as error:
        Sandbox()
    assert "\n" not in str(error.value)
    monkeypatch.setattr(running.sys, "platform", "darwin")
    with pytest.raises(ConfigError, match="takes Linux"):
        Sandbox()


@pytest.mark.parametrize("path", ["/", "/etc", "/proc/1", "/run", "/tmp", "relative", "/no/such/place", "/usr/../etc"])
def test_paths_that_hold_more_than_programs_are_not_shown(path):
    with pytest.raises(ConfigError, match="code: "):
        Sandbox([path], who="code")


def test_a_machine_that_does_not_bound_processes_is_not_trusted(machine, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("only root can have processes that are not counted")
    monkeypatch.setattr(running, "_ALL_USERS", [])
    with pytest.raises(ConfigError, match="does not bound the processes"):
        Sandbox()
