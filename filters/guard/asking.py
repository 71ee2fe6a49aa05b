"""A guard model behind an endpoint: the questions of a batch, those that are new asked side by side."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import numpy as np

from filters.batch import CONTENT, SYSTEM, TOOL_RESULT, USER, Batch
from filters.guard import cache, client, templates
from filters.guard.answers import Answer, parsed
from filters.guard.findings import Findings
from filters.guard.options import Endpoint
from filters.guard.pieces import Pieces, prompt_before
from filters.guard.sent import Sent
from filters.guard.templates import Side

IN_A_ROW = 32
"""Questions that fail one after another (and at least twice as many as are asked at a time) before the guard counts as gone."""
KEEP_EVERY = 1.0
"""Seconds after which answers are put into the cache: what is lost when the process is killed."""
CONTEXT = 4000
"""Bytes of the prompt that an answer is shown with: the end of it."""
_FORM = b"corpusmill/guard/1\0"
"""Part of each key: another number where answers are read in another way."""

Results = SimpleQueue[tuple[bytes, Answer | str | Exception]]


class Question(NamedTuple):
    piece: int
    side: Side
    policy: str


class Asking:
    """Template, cache and client. stop: a question without an answer ends the batch."""

    def __init__(self, endpoint: Endpoint, *, stop: bool) -> None:
        client.check(endpoint)
        path = templates.locate(endpoint.template)
        self.endpoint, self.stop = endpoint, stop
        self.template = templates.load(path)
        self.categories = self.template.codes
        self._salt = _FORM + bytes.fromhex(templates.digest(path))
        self._scrubber: Any = None
        if endpoint.scrub:
            # Imported here: its recognizers take seconds to load.
            from filters.pii import PiiFilter

            self._scrubber = PiiFilter()
        self._folder = cache.folder_of(endpoint.cache)

    def judge(self, batch: Batch, pieces: Pieces) -> Findings:
        """Raises JudgeError where the guard is gone or wants another key, or, if so told, for one question without an answer."""
        found = Findings.none(len(batch))
        found.prices = (self.endpoint.price_prompt, self.endpoint.price_completion)
        questions, keys, bodies = [], [], dict[bytes, tuple[bytes, Question]]()
        for question, body in self._questions(batch, pieces):
            key = hashlib.sha256(self._salt + body).digest()
            questions.append(question)
            keys.append(key)
            bodies.setdefault(key, (body, question))
        answers = self._answered(bodies)
        for question, key in zip(questions, keys, strict=True):
            _add(found, batch, pieces, question, answers.get(key))
        found.unjudged = sorted(set(found.unjudged))
        return found

    def _questions(self, batch: Batch, pieces: Pieces) -> Iterator[tuple[Question, bytes]]:
        """A question for each piece and policy. Pieces of white space alone have nothing to judge."""
        segments = batch.segments
        sent = Sent(batch, self._scrubber.judge(batch).edits if self._scrubber else None)
        before = prompt_before(batch, pieces.segment)
        for i, (segment, start, end) in enumerate(zip(pieces.segment, pieces.start, pieces.end, strict=True)):
            text = sent.text(int(segment), int(start), int(end))
            if not text.strip():
                continue
            side: Side = "response"
            if segments.role[segment] in (SYSTEM, USER) and segments.channel[segment] == CONTENT:
                side = "prompt"
            if segments.channel[segment] == TOOL_RESULT:
                side = "prompt"
            texts: dict[str, str] = {side: text}
            if side == "response":
                size = int(segments.length[before[i]]) if before[i] >= 0 else 0
                texts["prompt"] = sent.text(int(before[i]), max(size - CONTEXT, 0), size) if size else ""
            for policy in self.template.asked:
                yield Question(i, side, policy), self.template.body(self.endpoint.model, side, texts, policy)

    def _answered(self, bodies: dict[bytes, tuple[bytes, Question]]) -> dict[bytes, Answer]:
        """Answers from the cache, and from the endpoint for what is not there."""
        with cache.Cache(self._folder) as kept:
            answers = kept.get(list(bodies))
            new = {key: told for key, told in bodies.items() if key not in answers}
            if new:
                self._ask(new, kept)
                # Read back, since another worker may have been first.
                answers.update(kept.get(list(new)))
        return answers

    def _ask(self, new: dict[bytes, tuple[bytes, Question]], kept: cache.Cache) -> None:
        failures = 1 if self.stop else max(IN_A_ROW, 2 * self.endpoint.concurrency)
        asker = client.Client(self.endpoint, self.template.api, failures)
        results: Results = SimpleQueue()

        def one(key: bytes, body: bytes, question: Question) -> None:
            try:
                parse = partial(parsed, template=self.template, side=question.side, policy=question.policy)
                results.put((key, asker.ask(body, parse)))
            except Exception as error:
                results.put((key, error))

        pool = ThreadPoolExecutor(min(self.endpoint.concurrency, len(new)), "guard")
        try:
            for key, told in new.items():
                pool.submit(one, key, *told)
            _collect(results, len(new), kept)
        finally:
            asker.close()
            pool.shutdown(cancel_futures=True)


def _collect(results: Results, count: int, kept: cache.Cache) -> None:
    """Keeps answers as they come in, also those that came before things went wrong. Raises what went wrong."""
    ready, since = dict[bytes, Answer](), time.monotonic()
    try:
        while count:
            with contextlib.suppress(Empty):
                key, told = results.get(timeout=KEEP_EVERY)
                count -= 1
                if isinstance(told, Exception):
                    raise told
                if isinstance(told, Answer):
                    ready[key] = told
            if ready and time.monotonic() - since >= KEEP_EVERY:
                kept.put(ready)
                ready, since = {}, time.monotonic()
    finally:
        if ready:
            kept.put(ready)


def _add(found: Findings, batch: Batch, pieces: Pieces, question: Question, answer: Answer | None) -> None:
    segment, start, end = (int(a[question.piece]) for a in (pieces.segment, pieces.start, pieces.end))
    record = batch.segments.record[segment]
    found.questions[record] += 1
    if answer is None:
        found.unjudged.append((segment, start, end))
        return
    found.prompt_tokens[record] += np.int64(answer.prompt_tokens)
    found.completion_tokens[record] += np.int64(answer.completion_tokens)
    for category, p in answer.found.items():
        found.add(segment, start, end, category, p)
