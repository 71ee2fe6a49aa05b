"""The vote on each problem, as scores; and what scores and thresholds come to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from filters.samples.answers import Answers

YES, NO, UNCLEAR, SILENT = "yes", "no", "unclear", "no_answer"
"""Whether a record gives the leading answer. SILENT: it gives none, or only guesses another one."""
REFERENCE, VOTE = "reference", "vote"
"""What says which answer leads."""
VERIFIED, REFUTED, UNVERIFIABLE = "verified", "refuted", "unverifiable"


def votes(found: Answers, problem: np.ndarray, guess: np.ndarray, checked: np.ndarray) -> dict[str, np.ndarray]:
    """Of each record: samples and answers (of its problem, and those with a vote), share and lead (of the leading answer), cluster (its own
    answer's, by votes from 1 on; 0: none), agrees (with the leading answer) and by (what makes that one lead).

    problem: int64[n], -1: none. guess: bool[n], its answer has no vote. checked: int8[n], what a reference says of it: that wins over
    every vote, for all samples that give the same answer.
    """
    poll = _Poll(found, problem, checked)
    agrees, by = _agreement(found, poll, problem, guess)
    agrees[checked > 0], agrees[checked < 0] = YES, NO
    by[checked != 0] = REFERENCE
    agrees[problem < 0] = None
    first, samples = poll.first[problem], poll.samples[problem]
    return {
        "samples": samples.astype(np.int32),
        "answers": poll.cast[problem].astype(np.int32),
        "share": first / samples,
        "lead": (first - poll.second[problem]) / samples,
        "cluster": np.append(poll.rank, 0)[poll.mine].astype(np.int32),
        "agrees": agrees,
        "by": by,
    }


class _Poll:
    """Counts. mine: of each record, the answer that its own stands for, -1: none. Of each answer: votes, rank, and whether a reference
    makes it right or wrong. Of each problem, and last of none: samples, cast (votes), leading (an answer, -1: none), first and second
    (votes of it, and of the best other one)."""

    def __init__(self, found: Answers, problem: np.ndarray, checked: np.ndarray) -> None:
        count, size = int(problem.max(initial=-1)) + 1, len(found.stands)
        self.mine = np.append(found.stands, -1)[found.of]
        self.votes = np.bincount(found.stands, weights=found.votes, minlength=size).astype(np.int64)
        there = self.mine >= 0
        right, wrong = (np.bincount(self.mine[there & (checked == c)], minlength=size) > 0 for c in (1, -1))
        # Where two references contradict each other, neither speaks for others.
        self.right, self.wrong = right & ~wrong, wrong & ~right
        self.samples = np.append(np.bincount(problem[problem >= 0], minlength=count), 1)
        self.cast = np.append(np.bincount(found.problem, weights=found.votes, minlength=count), 0).astype(np.int64)
        clusters = np.flatnonzero(found.stands == np.arange(size))
        self.rank = np.zeros(size, np.int64)
        self._rank(found.problem, clusters)
        self.leading = np.full(count + 1, -1)
        self.first, self.second = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int64)
        self._lead(found.problem, clusters)

    def _rank(self, problem: np.ndarray, clusters: np.ndarray) -> None:
        # Answers are numbered by problem and digest, so among equals the smallest digest stands first.
        ordered = clusters[np.lexsort((-self.votes[clusters], problem[clusters]))]
        self.rank[ordered] = np.arange(len(ordered)) - np.searchsorted(problem[ordered], problem[ordered]) + 1

    def _lead(self, problem: np.ndarray, clusters: np.ndarray) -> None:
        """What a reference finds right leads, whatever the votes; what one finds wrong never does."""
        keys = (-self.votes[clusters], self.wrong[clusters], ~self.right[clusters], problem[clusters])
        ordered = clusters[np.lexsort(keys)]
        of = problem[ordered]
        leads = np.zeros(len(ordered), bool)
        leads[np.searchsorted(of, np.unique(of))] = True
        leads &= ~self.wrong[ordered]
        self.leading[of[leads]], self.first[of[leads]] = ordered[leads], self.votes[ordered[leads]]
        np.maximum.at(self.second, of[~leads], self.votes[ordered[~leads]])


def _agreement(found: Answers, poll: _Poll, problem: np.ndarray, guess: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """agrees and by, of each record, by what its answer is."""
    mine, leads = poll.mine, poll.leading[problem]
    agrees, by = np.full(len(mine), SILENT, object), np.full(len(mine), VOTE, object)
    both = np.flatnonzero((mine >= 0) & (leads >= 0))
    a, b = mine[both], leads[both]
    sure = found.comparable(a, b)
    if found.may_be:
        sure &= [y not in found.may_be.get(x, ()) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    agrees[both] = np.where(a == b, YES, np.where(guess[both], SILENT, np.where(sure, NO, UNCLEAR)))
    by[np.append(poll.right, False)[leads]] = REFERENCE
    for known, told in ((poll.wrong, NO), (poll.right, YES)):
        here = np.append(known, False)[mine]
        agrees[here], by[here] = told, REFERENCE
    return agrees, by


def verdicts(scores: Mapping[str, Any], options: Any) -> tuple[np.ndarray, np.ndarray]:
    """(verdict, how) of each record, from its scores: None where there are none."""
    agrees, by = (np.asarray(scores[n], object) for n in ("agrees", "by"))
    samples, answers, share, lead = (np.asarray(scores[n], float) for n in ("samples", "answers", "share", "lead"))
    how = np.full(len(agrees), "majority", object)
    # The last one that holds is told.
    for holds, why in (
        ((share < options.least_share) | (lead < options.least_lead) | (lead < 0), "no_majority"),
        (lead == 0, "tie"),
        (samples < options.least_samples, "few_samples"),
        (answers == 0, "no_answer"),
        (by == REFERENCE, REFERENCE),
    ):
        how[holds] = why
    decided = (how == "majority") | (how == REFERENCE)
    verdict = np.full(len(agrees), UNVERIFIABLE, object)
    verdict[decided & (agrees == YES)], verdict[decided & (agrees == NO)] = VERIFIED, REFUTED
    how[decided & (agrees == UNCLEAR)] = "not_comparable"
    how[agrees == SILENT] = "no_answer"
    how[[a is None for a in agrees]] = "no_problem"
    verdict[np.isnan(samples)], how[np.isnan(samples)] = None, None
    return verdict, how
