"""Answers that were given before, by the sha256 of the question. No text is kept: a hash, categories and token counts.

One SQLite file, which several workers may use at once. The first answer to a question stays, so that all who asked it at the same
time go by the same one.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from filters.compiled import cache_folder
from filters.contract import JudgeError
from filters.guard.answers import Answer

FILE = "guard.sqlite"
PATIENCE = 60
"""Seconds to wait for another worker that writes."""
_MANY = 500
_READ = msgspec.json.Decoder(Answer)


def folder_of(told: str) -> Path | None:
    """Where answers are kept; None: nowhere."""
    if told:
        return Path(told)
    base = cache_folder()
    return base / "guard" if base else None


class Cache:
    """An open cache; without a folder it keeps answers for as long as it is open. Raises JudgeError where the file is unusable."""

    def __init__(self, folder: Path | None) -> None:
        self._where = folder
        with self._told():
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._base = sqlite3.connect(
                folder / FILE if folder else ":memory:", timeout=PATIENCE, isolation_level=None
            )
            self._base.execute("PRAGMA synchronous = NORMAL")
            self._base.execute(
                "CREATE TABLE IF NOT EXISTS answers (question BLOB PRIMARY KEY, answer BLOB) WITHOUT ROWID"
            )

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def get(self, questions: Sequence[bytes]) -> dict[bytes, Answer]:
        """Those that were answered. What cannot be read is taken out and asked again."""
        found = {}
        for at in range(0, len(questions), _MANY):
            part = questions[at : at + _MANY]
            places = ",".join("?" * len(part))
            with self._told():
                rows = self._base.execute(
                    f"SELECT question, answer FROM answers WHERE question IN ({places})", part
                ).fetchall()
            for question, answer in rows:
                try:
                    found[question] = _READ.decode(answer)
                except (msgspec.DecodeError, TypeError):
                    with self._told():
                        self._base.execute("DELETE FROM answers WHERE question = ?", (question,))
        return found

    def put(self, answers: Mapping[bytes, Answer] | Iterable[tuple[bytes, Answer]]) -> None:
        rows = [(question, msgspec.json.encode(answer)) for question, answer in dict(answers).items()]
        with self._told():
            self._base.execute("BEGIN IMMEDIATE")
            self._base.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?)", rows)
            self._base.execute("COMMIT")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise JudgeError(
                f"the cache at {self._where} cannot be used ({why}); set endpoint.cache to another"
            ) from None
