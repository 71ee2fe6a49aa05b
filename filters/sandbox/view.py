"""What a sandbox shows of the machine: programs and libraries, read-only, and one small folder of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from filters.contract import ConfigError

BOX = "/box"
"""The program's folder: a file system in memory, with its files, its home and ``tmp``."""

SYSTEM = (
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    *map(str, sorted(Path("/etc").glob("java-*"))),
)
"""Of /etc only what finds programs and libraries, and how Java is set up: no users, no hosts, no keys."""

CLOSED = ("/proc", "/sys", "/dev", "/run", "/var/run", "/etc", "/boot", BOX, "/tmp")
"""Where no path of a recipe may lead: sockets of services, devices, keys; or what the sandbox has of its own."""

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": BOX,
    "TMPDIR": "/tmp",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}


def checked(path: str, what: str) -> str:
    """A folder or file that may be shown, by its real place. Raises ConfigError."""
    real = Path(path).resolve()
    if not Path(path).is_absolute() or not real.exists():
        raise ConfigError(f"{what}: {path!r} is not there; give the absolute path of a folder")
    if len(real.parts) < 2 or any(real.is_relative_to(closed) for closed in CLOSED):
        raise ConfigError(f"{what}: {path!r} cannot be shown to a sandbox: it holds more than programs and libraries")
    return str(real)


def mounts(paths: Iterable[str]) -> list[str]:
    """bubblewrap's arguments for all that is read-only. A path of which a parent is already shown adds nothing."""
    out = ["--ro-bind", "/usr", "/usr"]
    for name in ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"):
        place = Path(name)
        if place.is_symlink():
            out += ["--symlink", str(place.readlink()), name]
        elif place.exists():
            out += ["--ro-bind", name, name]
    made: set[str] = set()
    for path in (*SYSTEM, *sorted(paths)):
        if path.startswith("/usr/") or not Path(path).exists():
            continue
        for parent in _parents(path, made):
            # Made beforehand: bubblewrap's own would be closed to everyone where the real one is.
            out += ["--perms", "0755", "--dir", parent]
        out += ["--ro-bind", path, path]
    return out


def _parents(path: str, made: set[str]) -> Iterator[str]:
    for parent in reversed(Path(path).parents[:-1]):
        if str(parent) not in made:
            made.add(str(parent))
            yield str(parent)


def check_name(name: str) -> None:
    """A file's name in the box: any characters, but no way out of it. Raises ValueError."""
    parts = name.split("/")
    if "\0" in name or any(part in ("", ".", "..") for part in parts) or parts[0] == "tmp":
        raise ValueError(f"not the name of a file in the sandbox: {name[:80]!r}")
    if any(len(part.encode("utf-8", "surrogatepass")) > 255 for part in parts) or len(name) > 1000:
        raise ValueError(f"the name of a file in the sandbox is too long: {name[:80]!r}")
