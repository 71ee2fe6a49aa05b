"""The scores of a batch: language, certainty, script, pair and what is foreign in it, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from filters.batch import CONTENT, SYSTEM, USER, Batch
from filters.language import scripts
from filters.language.asked import SCRIPT_LANGUAGES, asks_for
from filters.language.decide import SCORED
from filters.language.guess import UND, tally
from filters.language.model import UNDETERMINED
from filters.language.survey import ANSWER, PARTS, PROMPT, REASONING_PART, REST, Survey

PAIR_SHARE = 0.25
"""Letters of a prompt's second language that make a pair with an answer in the first: an instruction, and what it is about."""
PAIR_CERTAINTY = 0.8
"""What a guess on a window of the second language must reach: names and quotations are not what a prompt is about."""
_QUOTED = 2
"""Letters of a script in the prompt from which on it is no surprise in the answer."""


def measure(survey: Survey, parts: Sequence[str]) -> dict[str, np.ndarray]:
    """The filter's scores, as numpy arrays (text as objects, None where there is no such part; NaN for missing numbers).

    parts: those that ``language`` is taken from, the first whose language can be told; else the first other one that has some.
    """
    names = np.array([*survey.model.codes.names, UNDETERMINED], object)
    scores: dict[str, Any] = {}
    for number, name in enumerate(SCORED):
        votes, present = survey.part(number)
        scores[f"{name}_language"] = np.where(present, names[votes.language], None)
        scores[f"{name}_probability"] = np.where(present, votes.probability, np.nan).astype(np.float32)
        scores[f"{name}_share"] = np.where(present, votes.share, np.nan).astype(np.float32)
        scores[f"{name}_script"] = scripts.name(scripts.number(_letters(survey, number)))
    decided = np.full(len(survey.batch), UND)
    for number in (*map(PARTS.index, parts), ANSWER, REASONING_PART, PROMPT, REST):
        decided = np.where(decided == UND, survey.part(number)[0].language, decided)
    foreign = {number: foreign_letters(survey, number) for number in (REASONING_PART, ANSWER)}
    for number, letters in foreign.items():
        scores[f"{PARTS[number]}_foreign"] = _share(letters, _letters(survey, number), survey.part(number)[1])
    return {
        "language": names[decided],
        "pair": _pairs(survey, names),
        "asked": _asked(survey, names, foreign[REASONING_PART] + foreign[ANSWER]),
        **scores,
    }


def _letters(survey: Survey, part: int) -> np.ndarray:
    return survey.letters[part :: len(PARTS)]


def foreign_letters(survey: Survey, part: int) -> np.ndarray:
    """int64[n, scripts]: letters in scripts that neither the part's own main script nor the prompt explains."""
    letters = _letters(survey, part)
    elsewhere = scripts.merged(_letters(survey, PROMPT) + _letters(survey, REST)) >= _QUOTED
    return np.where(scripts.own(letters) | elsewhere, 0, scripts.merged(letters))


def _share(foreign: np.ndarray, letters: np.ndarray, present: np.ndarray) -> np.ndarray:
    whole = scripts.weighed(letters).sum(axis=1)
    share = scripts.weighed(foreign).sum(axis=1) / np.maximum(whole, 1)
    return np.where(present, share, np.nan).astype(np.float32)


def _pairs(survey: Survey, names: np.ndarray) -> np.ndarray:
    """``from-to`` where the answer is in another language than the prompt, or than a good part of it."""
    codes, places = survey.model.codes, survey.places
    answer, prompt = survey.part(ANSWER)[0].language, survey.part(PROMPT)[0].language
    out = np.full(len(answer), None, object)
    both = (answer != UND) & (prompt != UND)
    same = codes.family[answer] == codes.family[prompt]
    for record in np.flatnonzero(both & ~same).tolist():
        out[record] = f"{names[prompt[record]]}-{names[answer[record]]}"
    sure = np.where(places.probability >= PAIR_CERTAINTY, places.language, UND)
    mine = np.flatnonzero(places.group % len(PARTS) == PROMPT)
    mine = mine[(both & same)[places.group[mine] // len(PARTS)]]
    of_record = places.group[mine] // len(PARTS)
    key, first, heard, _ = tally(of_record, sure[mine], places.probability[mine], places.letters[mine], codes)
    whole = np.bincount(of_record, weights=places.letters[mine], minlength=len(answer))
    of, family = key // len(codes.names), key % len(codes.names)
    for i in np.flatnonzero((family != codes.family[answer[of]]) & (heard >= PAIR_SHARE * whole[of])):
        out[of[i]] = f"{names[sure[mine][first[i]]]}-{names[answer[of[i]]]}"
    return out


def _asked(survey: Survey, names: np.ndarray, foreign: np.ndarray) -> np.ndarray:
    """True or False where the answer is in another language than the prompt, or something is foreign in it; None elsewhere."""
    codes, batch = survey.model.codes, survey.batch
    answer, prompt = survey.part(ANSWER)[0].language, survey.part(PROMPT)[0].language
    other = (answer != UND) & (prompt != UND) & (codes.family[answer] != codes.family[prompt])
    out = np.full(len(batch), None, object)
    for record in np.flatnonzero(other | (foreign.sum(axis=1) > 0)).tolist():
        wanted = {str(names[answer[record]])} if other[record] else set()
        for script in np.flatnonzero(foreign[record]):
            wanted.update(SCRIPT_LANGUAGES.get(scripts.SCRIPTS[script], ()))
        out[record] = asks_for(_requests(batch, record), tuple(sorted(wanted)))
    return out


def _requests(batch: Batch, record: int) -> list[str]:
    """What the user and the system say."""
    s = batch.segments
    first, last = batch.record_start[record : record + 2]
    mine = [i for i in range(first, last) if s.channel[i] == CONTENT and s.role[i] in (USER, SYSTEM)]
    return [s.text(i) for i in mine]
