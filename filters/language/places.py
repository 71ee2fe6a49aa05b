"""Evidence: where in a record the language or the script at fault stands. Only asked for records that are rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filters.contract import EVIDENCE_LIMIT, Evidence
from filters.language import scripts
from filters.language.decide import SCORED, split
from filters.language.guess import UND
from filters.language.measure import foreign_letters
from filters.language.model import family
from filters.language.survey import ANSWER, PARTS, PROMPT, REASONING_PART, REST, Survey, part_of

if TYPE_CHECKING:
    from filters.language import LanguageOptions


def point_at(survey: Survey, record: int, code: str, options: LanguageOptions, evidence: Evidence) -> None:
    """The windows in a language at fault (the rule is the language), or the letters in a script at fault (the rule is the script)."""
    names, families = survey.model.codes.names, survey.model.codes.family
    named = [SCORED.index(part) for part in options.parts]
    if code == "language_not_allowed":
        allowed = {family(split(entry)[0]) for entry in options.allow}
        for part in _deciding(survey, record, named):
            known = survey.part(part)[0].language[record]
            # Where the language is allowed, its script is not.
            right = family(names[known]) in allowed
            wrong = np.array([(family(name) in allowed) == right for name in names])
            _windows(survey, record, part, evidence, wrong)
    elif code == "language_switched":
        for part in (REASONING_PART, ANSWER):
            _letters(survey, record, part, evidence)
    elif code == "language_mismatch":
        main = families[survey.part(ANSWER)[0].language[record]]
        _windows(survey, record, ANSWER, evidence, families == main)
    elif code == "language_mixed":
        for part in named or [ANSWER]:
            main = families[survey.part(part)[0].language[record]]
            _windows(survey, record, part, evidence, families != main)


def _deciding(survey: Survey, record: int, named: list[int]) -> list[int]:
    """The parts named, as far as their language can be told, or the first other one."""
    known = [
        part for part in (*named, ANSWER, REASONING_PART, PROMPT, REST) if survey.part(part)[0].language[record] != UND
    ]
    return [part for part in dict.fromkeys(known) if part in named] or known[:1]


def _windows(survey: Survey, record: int, part: int, evidence: Evidence, at_fault: np.ndarray) -> None:
    """Windows of a part in languages at fault: bool by number."""
    p, group = survey.places, record * len(PARTS) + part
    for i in range(*np.searchsorted(p.group, [group, group + 1])):
        if p.language[i] != UND and at_fault[p.language[i]]:
            rule = survey.model.codes.names[p.language[i]]
            evidence.add_span(survey.batch, int(p.segment[i]), int(p.start[i]), int(p.end[i]), rule)


def _letters(survey: Survey, record: int, part: int, evidence: Evidence) -> None:
    """Runs of letters in scripts that are foreign to a part."""
    wanted = foreign_letters(survey, part)[record] > 0
    segments, mine = survey.batch.segments, part_of(survey.batch.segments) == part
    first, last = survey.batch.record_start[record : record + 2]
    left = EVIDENCE_LIMIT
    for i in first + np.flatnonzero(mine[first:last]):
        script, offset = scripts.by_letter(segments.text(i))
        at_fault = wanted[script]
        edges = np.flatnonzero(np.diff(at_fault, prepend=False, append=False)).reshape(-1, 2)[:left]
        left -= len(edges)
        for low, high in edges:
            evidence.add_span(survey.batch, int(i), int(offset[low]), int(offset[high]), scripts.SCRIPTS[script[low]])
