"""What hostile input must not bring about, watched from inside: files written elsewhere, programs started, hosts reached."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.pipelines.conftest import Command, manifest

STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn")
REACHES = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request")
CHANGES = {
    "os.remove": (1,),
    "os.rename": (2, 3),
    "os.mkdir": (2,),
    "os.rmdir": (1,),
    "os.symlink": (None, 2),
    "os.link": (2, 3),
    "os.chmod": (2,),
}
"""Event -> for each of its paths, which argument is the folder (a descriptor) that it is relative to."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

EXPECTED = ("__pycache__", "'uname'")
"""numba keeps what it compiled beside the module; Python asks the system what it runs on, for run.json."""

_allowed: list[Path] = []
_seen: list[str] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _allowed:
        return
    if event in STARTS:
        _seen.append(f"started {arguments[0]!r}")
    elif event in REACHES:
        _seen.append(f"reached {arguments[-1]!r}")
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
        _look(f"opened for writing: {arguments[0]}", arguments[0], follow=True)
    elif event in CHANGES:
        for path, folder in zip(arguments, CHANGES[event], strict=False):
            if folder is not None:
                _look(f"{event} {arguments}", path, arguments[folder])


def _look(told: str, path: Any, folder: int = -1, *, follow: bool = False) -> None:
    """follow: a link is opened where it leads to; it is moved and removed where it stands."""
    if not isinstance(path, (str, bytes)) or (path := os.fsdecode(path)) in ("/dev/null", "/dev/tty"):
        return
    home = Path(f"/proc/self/fd/{folder}").readlink() if folder >= 0 else Path()
    place = os.path.realpath(home / path)
    if not follow:
        place = str(Path(os.path.realpath((home / path).parent)) / Path(path).name)
    if not any(place == str(a) or place.startswith(f"{a}{os.sep}") for a in _allowed):
        _seen.append(f"{told}: {place}")


sys.addaudithook(_hook)


@contextmanager
def watched(*allowed: Path) -> Iterator[None]:
    """Fails when the block starts a program, reaches for the network, or opens, moves or removes a file outside of ``allowed``."""
    scratch = str(Path(tempfile.gettempdir(), "corpusmill-"))
    cache = Path(os.environ["CORPUSMILL_CACHE"]) if "CORPUSMILL_CACHE" in os.environ else Path.home() / ".cache"
    _seen.clear()
    _allowed[:] = [Path(os.path.realpath(a)) for a in (*allowed, cache)]
    try:
        yield
    finally:
        _allowed.clear()
    assert [s for s in _seen if not any(told in s for told in (*EXPECTED, scratch))] == []


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder below, with size and time of change: what native code writes, no hook of Python's sees."""
    found = (p for p in folder.rglob("*"))
    return {str(p): (p.lstat().st_size, p.lstat().st_mtime_ns) for p in found}


def curated(command: Command, given: Path, out: Path, *, code: int | None = None) -> dict[str, str]:
    """Run the command on a folder of hostile shards, and check what must hold whatever is in them: the run ends in order, tells each
    failure in a line that needs no report, writes nowhere but below ``out``, loses nothing; and ``verify`` agrees.

    Returns shard -> "read", or why it is not in the dataset.
    """
    before = snapshot(command.home)
    with watched(out):
        said = command.run(given, out, code=code) if code is not None else _either(command, given, out)
    after = {k: v for k, v in snapshot(command.home).items() if not k.startswith(str(out))}
    assert {k: v for k, v in before.items() if not k.startswith(str(out))} == after
    assert "please report it" not in said, [line for line in said.splitlines() if "report it" in line][:5]
    if not (out / "manifest.json").is_file():
        assert "nothing to publish" in said
        return {}
    told = manifest(out)
    fates = {
        i["path"]: "read" if i["status"] == "read" else i.get("why") or _why(said, i["path"]) for i in told["inputs"]
    }
    records = told["records"]
    assert records["kept"] + records["rejected"] == records["read"]
    assert "every file is as the manifest says" in command("verify", out)
    return fates


def _either(command: Command, given: Path, out: Path) -> str:
    """With whichever of the two exit codes that a run on bad input may have."""
    found, told, err = command._here(["run", str(command.recipe), "--input", str(given), "--output", str(out)])
    assert found in (0, 3), told + err
    assert "Traceback" not in err, err
    return told + err


def _why(said: str, shard: str) -> str:
    [line] = [line for line in said.splitlines() if line.startswith(f"corpusmill: {shard} is not in the dataset: ")]
    return line.partition(" is not in the dataset: ")[2]


def rows_of(out: Path, shard: str) -> list[int]:
    """The rows that annotations speak of, in order."""
    return pq.read_table(out / "annotations" / shard, columns=["row"])["row"].to_pylist()


def in_child(work: Callable[[], Any]) -> Any:
    """What the function returns, from a process of its own; the name of the signal that ended it, if one did."""
    reader, writer = os.pipe()
    if not (pid := os.fork()):
        code = 1
        try:
            os.close(reader)
            with os.fdopen(writer, "wb") as pipe:
                try:
                    pickle.dump((True, work()), pipe)
                    code = 0
                except BaseException as error:  # it must get to the test, whatever it is
                    pickle.dump((False, f"{type(error).__name__}: {error}"), pipe)
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        raw = pipe.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    done, told = pickle.loads(raw)
    if not done:
        pytest.fail(told, pytrace=False)
    return told
