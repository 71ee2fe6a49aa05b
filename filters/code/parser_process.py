"""Run as a script, by ``filters.code.parsers``: blocks in, and what is said of each out, as MessagePack."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import msgspec

from filters import bounded


class Question(msgspec.Struct, frozen=True, array_like=True):
    """A block to be parsed: its language, its name as declared, its text, and whether its fence was closed."""

    language: str
    name: str | None
    code: bytes
    closed: bool


Answer = tuple[str, str, int]
"""Status, cause and place of a verdict."""


def main(seconds: int, memory: int) -> None:
    from filters.code import check  # noqa: F401  (before the limits)

    def answers(frame: bytes) -> Iterator[bytes]:
        for question in msgspec.msgpack.decode(frame, type=list[Question]):
            bounded.allow(seconds)
            yield msgspec.msgpack.encode(_said(question))

    bounded.serve(answers, memory)


def _said(question: Question) -> Answer:
    from filters.code import check, verdict

    try:
        found = check.judged(question.language, question.name, question.code, closed=question.closed)
    except MemoryError:
        raise  # what is left of this process is not trusted; the block is tried once more in the next
    except (Exception, RecursionError):
        found = verdict.open_("parser_failed")
    return found.status, found.cause, found.at


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
