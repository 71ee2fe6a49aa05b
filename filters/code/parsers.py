"""Blocks are parsed in a process of their own, so that a grammar that crashes, hangs or takes all memory costs one block its verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import msgspec

from filters.child import Child
from filters.code.blocks import Block
from filters.code.check import told
from filters.code.grammars import GRAMMARS
from filters.code.parser_process import Answer, Question
from filters.code.verdict import CAUSES, STATUSES, Verdict, open_
from filters.contract import ConfigError

SECONDS, MEMORY = 30, 2 << 30
"""Processor time and memory that a block may take: what a parser cannot be asked to keep to. The slowest texts that its own bounds
let through take some seconds."""

TOGETHER = 1 << 20
"""Bytes of blocks that are sent together."""

SCRIPT = Path(__file__).with_name("parser_process.py")


@cache
def shared() -> Parsers:
    """One for all filters of a process."""
    return Parsers()


class Parsers:
    """Verdicts by a process that is started with the first block, and again after it ended."""

    def __init__(self, script: Path = SCRIPT, seconds: int = SECONDS, memory: int = MEMORY) -> None:
        self.child = Child("code: parsers", script, seconds, memory)

    def checked(self, blocks: Iterable[Block], most_bytes: int) -> Iterator[tuple[Block, str, Verdict]]:
        """Each block that is code, its language, and what is said of it, in their order. A verdict does not depend on the other blocks."""
        held: list[tuple[Block, str, Verdict | None]] = []
        size = 0
        for block in blocks:
            if (found := told(block, most_bytes)) is not None:
                held.append((block, *found))
                size += len(block.code)
            if size > TOGETHER:
                yield from self._parsed(held)
                held, size = [], 0
        yield from self._parsed(held)

    def _parsed(self, held: list[tuple[Block, str, Verdict | None]]) -> Iterator[tuple[Block, str, Verdict]]:
        asked = [Question(lang, b.name, b.code, b.closed) for b, lang, found in held if found is None]
        answers = iter(self.verdicts(asked))
        for block, language, found in held:
            yield block, language, next(answers) if found is None else found

    def verdicts(self, questions: list[Question]) -> list[Verdict]:
        """One each. Answers come one by one, so the first that is missing is of the block that the process ended on."""
        out: list[Verdict] = []
        while left := questions[len(out) :]:
            out += self._asked(left)
            if len(out) < len(questions):
                out.append(self._alone(questions[len(out)]))
        return out

    def holds(self, language: str, code: bytes) -> bool:
        """Whether a text parses as a language."""
        return self.verdicts([Question(language, None, code, True)])[0].holds

    def _alone(self, question: Question) -> Verdict:
        """A block that the process ended on, tried once more: memory may have been filled, or the process ended, by something else. Not if
        all its time went into it."""
        found = [] if self.child.timed_out else self._asked([question])
        return found[0] if found else open_("parser_failed")

    def _asked(self, questions: list[Question]) -> list[Verdict]:
        answers = self.child.ask(msgspec.msgpack.encode(questions), len(questions))
        return [_verdict(question, answer) for question, answer in zip(questions, answers, strict=False)]


def _verdict(question: Question, answer: bytes) -> Verdict:
    """An answer, which the process may have been made to give by the text: no word that is not ours gets into the annotations."""
    try:
        status, cause, at = msgspec.msgpack.decode(answer, type=Answer)
    except msgspec.MsgspecError:
        return open_("parser_failed")
    known = status in STATUSES and cause in ("", *CAUSES) and 0 <= at <= len(question.code)
    return Verdict(status, cause, at) if known else open_("parser_failed")


def required() -> None:
    """What the filter needs beside the project's own packages: all of it, so that a verdict does not depend on what is installed. Raises
    ConfigError with what to install."""
    modules = ["tree_sitter", *sorted({module for module, _ in GRAMMARS.values()}), "sqlglot", "fissix"]
    missing = [m.replace("_", "-") for m in modules if find_spec(m) is None]
    if missing:
        raise ConfigError(
            f"code: {len(missing)} packages are not installed ({', '.join(missing)[:80]}): pip install 'corpusmill[code]'"
        )
