"""Asks compilers about blocks, many at a time, in a sandbox."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from filters.code.tools import OK, SYNTAX, TOOLS, UNKNOWN, Tool
from filters.contract import ConfigError, JudgeError
from filters.sandbox import Limits, Outcome, Sandbox

AT_ONCE, BYTES_AT_ONCE = 48, 8 << 20
"""Files of one start of the sandbox, and what they hold; a larger text is not asked about."""

Word = tuple[str, int]
"""What a tool says of a text (tools.OK and the others), and the line of the first error."""

REMEMBERED = 20_000
"""Texts of which a worker remembers what was said."""


class Compilers:
    """The tools of a recipe; made once a worker, each tried on a right and a wrong line before it is asked anything.

    Raises ConfigError, in one line, for a tool that is not there or does not do what it should.
    """

    def __init__(self, names: Iterable[str], paths: Sequence[str] = (), seconds: float = 10.0) -> None:
        self._places = {name: Place.of(name) for name in names}
        self._sandbox = Sandbox((*paths, *(p for place in self._places.values() for p in place.shown)), who="code")
        self._seconds = seconds
        self._of = {language: name for name in self._places for language in TOOLS[name].languages}
        self._said: dict[tuple[str, bytes], Word] = {}
        for name in self._places:
            tool = TOOLS[name]
            said = self._asked(name, [tool.right.encode(), tool.wrong.encode()])
            if [s for s, _ in said] != [OK, SYNTAX]:
                raise ConfigError(
                    f"code: {name} cannot be asked here: it does not tell a right line from a wrong one; leave it out of tools"
                )

    @property
    def languages(self) -> frozenset[str]:
        return frozenset(self._of)

    def is_whole(self, language: str, text: bytes) -> bool:
        """Whether a text is a program, for all that it says of itself."""
        whole = TOOLS[self._of[language]].whole
        return whole is not None and whole.search(text) is not None

    def ask(self, language: str, texts: Sequence[bytes]) -> list[Word]:
        """One word a text, whatever else is asked at the same time. Raises JudgeError if no sandbox can be had now."""
        name, said = self._of[language], self._said
        if len(said) > REMEMBERED:
            said.clear()
        new = [t for t in dict.fromkeys(texts) if (name, t) not in said and len(t) <= BYTES_AT_ONCE]
        for some in _shares(new):
            said.update(zip(((name, t) for t in some), self._asked(name, some), strict=True))
        return [said.get((name, t), (UNKNOWN, 1)) for t in texts]

    def _asked(self, name: str, texts: Sequence[bytes]) -> list[Word]:
        """Where the whole of it is stopped, each is asked about alone: one text costs no other its answer."""
        tool, place, mark = TOOLS[name], self._places[name], secrets.token_hex(12)
        files = {f"f{i}.{tool.ending}": text for i, text in enumerate(texts)}
        command = tool.command(place.program, mark, list(files))
        seconds = self._seconds + 0.5 * (len(texts) - 1)
        bounds = Limits(seconds=seconds, cpu_seconds=int(seconds) + 1, allocate=4 << 30, processes=128)
        out = self._sandbox.run(
            command, {**files, "driver": tool.script.encode()}, limits=bounds, environment=dict(tool.environment)
        )
        if out.status == "cannot_start":
            raise JudgeError("code: the sandbox could not be started; the machine may be out of memory or processes")
        if out.status in ("ok", "failed"):
            words = _marked(tool, mark, out, files) if tool.script else _listed(tool, out, files)
            if words is not None:
                return words
        if len(texts) == 1:
            return [(UNKNOWN, 1)]
        return [word for text in texts for word in self._asked(name, [text])]


def _shares(texts: Sequence[bytes]) -> Iterator[list[bytes]]:
    some: list[bytes] = []
    for text in texts:
        if some and (len(some) == AT_ONCE or sum(map(len, some)) + len(text) > BYTES_AT_ONCE):
            yield some
            some = []
        some.append(text)
    if some:
        yield some


def _marked(tool: Tool, mark: str, out: Outcome, files: Iterable[str]) -> list[Word] | None:
    """By the lines that a driver prints before what is said of a file."""
    parts = re.split(rf"(?m)^{mark} (\S+) (\d+)\n", out.output.decode("utf-8", "replace"))
    said = {name: (int(code), text) for name, code, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)}
    return [tool.read(*said[name]) for name in files] if set(said) == set(files) else None


def _listed(tool: Tool, out: Outcome, files: Iterable[str]) -> list[Word] | None:
    """By the names of files that errors begin with; without one, all is well only if the tool says so."""
    said: dict[str, str] = {}
    for line in (out.output + out.errors).decode("utf-8", "replace").splitlines():
        said.setdefault(line.partition(":")[0], line)
    words = [tool.read(1, said[name]) if name in said else (OK, 1) for name in files]
    return words if out.code == (0 if all(w == OK for w, _ in words) else 1) else None


class Place:
    """Where a tool lies, and what of the machine it must see beside /usr."""

    def __init__(self, program: str, shown: tuple[str, ...]) -> None:
        self.program, self.shown = program, shown

    @classmethod
    @cache
    def of(cls, name: str) -> Place:
        """Raises ConfigError."""
        found = next((p for n in TOOLS[name].programs if (p := shutil.which(n))), None)
        if found is None:
            raise ConfigError(f"code: {name} is not installed, or not in PATH: install it, or leave it out of tools")
        real = Path(found).resolve()
        if real.name == "rustup":
            # It finds the compiler by the user's settings, which the sandbox does not show.
            root = _told([found, "--print", "sysroot"])
            return cls(f"{root}/bin/rustc", (root,))
        if real.is_relative_to("/usr"):
            # By the name that it was called by: some are one program of several names.
            return cls(found if found.startswith("/usr/") and name != "tsc" else str(real), ())
        return cls(str(real), (str(_home(real)),))


def _home(program: Path) -> Path:
    """The folder that a program was installed into, or the program alone where that folder holds more than programs."""
    above = program.parent.parent
    own = program.parent.name == "bin" and above.name != ".local" and above != Path.home() and len(above.parts) > 2
    return above if own else program


@cache
def tried(paths: tuple[str, ...]) -> None:
    """Raises ConfigError where no sandbox can be had: so that a run says so before it begins, and not each of its workers."""
    Sandbox(paths, who="code")


@cache
def version(name: str) -> str:
    """The line by which a tool names its version; of one that has none, the digest of its file."""
    place, tool = Place.of(name), TOOLS[name]
    if not tool.version:
        return f"sha256 {hashlib.sha256(Path(place.program).read_bytes()).hexdigest()[:16]}"
    lines = [line for line in _told([place.program, *tool.version]).splitlines() if line.strip()]
    return next((line for line in lines if re.search(r"\d\.\d", line)), "unknown").strip()[:120]


def _told(command: list[str]) -> str:
    """What an installed program says of itself. It is trusted: whoever runs us installed it."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            stdin=subprocess.DEVNULL,
            env=dict(os.environ),
        )
    except (OSError, subprocess.SubprocessError):
        raise ConfigError(
            f"code: {Path(command[0]).name} is installed and does not say its version; leave it out of tools"
        ) from None
    return done.stdout.strip() or done.stderr.strip()
