"""What is said of one block of code, and what every parser returns."""

from __future__ import annotations

from dataclasses import dataclass

VERIFIED, LEGACY, REFUTED, UNVERIFIABLE = "verified", "legacy", "refuted", "unverifiable"
STATUSES = (VERIFIED, LEGACY, REFUTED, UNVERIFIABLE)

CAUSES = (
    "syntax", "python2", "no_parser", "too_large", "too_complex", "transcript", "diff", "elided", "template", "pseudo_code",
    "truncated", "fragment", "mislabelled", "macros", "grammar", "dialect", "compiler", "parser_failed",
    "ran", "assertion", "doctest", "not_installed", "input", "network", "timed_out", "too_much", "exited", "raised",
)  # fmt: skip
"""Why: a closed list, named in the evidence and on the page of the filter."""


@dataclass(frozen=True)
class Verdict:
    """status: one of the four above. cause: one of CAUSES, "" where it just parses. at: byte of the first error in the block."""

    status: str
    cause: str = ""
    at: int = 0

    @property
    def holds(self) -> bool:
        return self.status in (VERIFIED, LEGACY)


PARSES = Verdict(VERIFIED)


def broken(at: int) -> Verdict:
    return Verdict(REFUTED, "syntax", at)


def open_(cause: str, at: int = 0) -> Verdict:
    """Nobody can tell, for this cause."""
    return Verdict(UNVERIFIABLE, cause, at)
