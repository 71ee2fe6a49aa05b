"""The order of turns, and turns that say nothing. All of it is arithmetic on columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from filters.batch import ASSISTANT, CONTENT, OTHER, REASONING, SYSTEM, TOOL, TOOL_CALL, USER, Batch
from filters.structure.bytescan import TEXT
from filters.structure.findings import Findings


class TurnTable:
    """What each turn holds, aligned with ``batch.turns``: text, calls, reasoning, and whether anything was there at all."""

    def __init__(self, batch: Batch, flags: np.ndarray) -> None:
        turns, segments = batch.turns, batch.segments
        self.batch = batch
        self.record, self.turn, self.role = turns.record, turns.turn, turns.role
        self.first = np.ones(len(turns), bool)
        self.first[1:] = turns.record[1:] != turns.record[:-1]
        self.last = np.ones(len(turns), bool)
        self.last[:-1] = self.first[1:]
        own = np.flatnonzero(segments.turn >= 0)
        row = batch.turn_start[segments.record[own]] + segments.turn[own]
        text = (flags[own] & TEXT) > 0
        self.text = self._any(row, text & (segments.channel[own] != REASONING) & (segments.channel[own] != TOOL_CALL))
        self.reasoning = self._any(row, text & (segments.channel[own] == REASONING))
        self.call = self._any(row, segments.channel[own] == TOOL_CALL)
        # An image is not nothing, and neither is a number where text belongs.
        self.other_parts = (turns.other_parts > 0) | turns.odd_content
        # Columns of plain text or of prompts and answers have no names of roles.
        self.chat = ~pc.is_null(turns.role_names).to_numpy(zero_copy_only=False)

    def _any(self, row: np.ndarray, mask: np.ndarray) -> np.ndarray:
        out = np.zeros(len(self.record), bool)
        out[row[mask]] = True
        return out

    def per_record(self, mask: np.ndarray) -> np.ndarray:
        """bool[records]: any turn of the record."""
        out = np.zeros(len(self.batch), bool)
        out[self.record[mask]] = True
        return out


def check(table: TurnTable, findings: Findings, *, strict: bool) -> None:
    empty = np.flatnonzero(np.diff(table.batch.turn_start) == 0)
    findings.turns("no_turns", empty, np.full(len(empty), -1))
    _mark(table, findings, "unknown_role", table.role == OTHER)
    odd = table.batch.turns.odd_content
    _mark(table, findings, "content_not_text", odd if strict else odd & (table.role != TOOL))
    _prompt(table, findings)
    _order(table, findings, strict=strict)
    _silence(table, findings, strict=strict)
    if findings.wants("not_a_prompt"):
        _mark(table, findings, "not_a_prompt", table.last & (table.role == ASSISTANT))


def _mark(table: TurnTable, findings: Findings, code: str, mask: np.ndarray) -> None:
    findings.turns(code, table.record[mask], table.turn[mask])


def _prompt(table: TurnTable, findings: Findings) -> None:
    """A conversation (not plain text) in which no user or system turn says anything. An image asks too."""
    asks = table.per_record(((table.role == USER) | (table.role == SYSTEM)) & (table.text | table.other_parts))
    chat = table.per_record(table.chat | (table.role == USER))
    # An empty question is an empty turn already; here there is none at all.
    none = np.flatnonzero(chat & ~asks & ~table.per_record(table.role == USER))
    findings.turns("no_prompt", none, np.full(len(none), -1))


def _order(table: TurnTable, findings: Findings, *, strict: bool) -> None:
    """Late system turns, two assistant turns in a row, an answer before its question.

    Three things are common in good data and suspicious only together: an assistant's greeting before the first question,
    two user turns in a row, and an assistant's remark in a turn before its call. One kind of them is let through, two
    kinds are what swapping turns leaves behind. Strictly, none is let through.
    """
    role, first = table.role, table.first
    before = np.roll(role, 1)
    called_before = np.roll(table.call, 1)
    follows = ~first
    wrong = follows & (role == SYSTEM) & (before != SYSTEM)
    twice = follows & (role == ASSISTANT) & (before == ASSISTANT) & ~called_before
    remark = twice & table.call & np.roll(table.text, 1)
    wrong |= twice & ~remark
    users = follows & (role == USER) & (before == USER)
    greeting = (role == ASSISTANT) & (first | (before == SYSTEM))
    greeting &= table.per_record(role == USER)[table.record]
    answered = _answered_later(table)
    wrong |= greeting & ~answered
    odd = [remark, users, greeting & answered]
    kinds = np.sum([table.per_record(mask) for mask in odd], axis=0)
    least = 1 if strict else 2
    suspicious = (kinds >= least)[table.record]
    for mask in odd:
        wrong |= mask & suspicious
    if strict:
        wrong |= follows & (role == USER) & (before == TOOL)
    _mark(table, findings, "role_order", wrong)


def _answered_later(table: TurnTable) -> np.ndarray:
    """Each turn: does an assistant turn come after the record's first user turn?"""
    position = np.arange(len(table.role))
    size = len(table.batch)
    first_user = np.full(size, len(position))
    users = table.role == USER
    np.minimum.at(first_user, table.record[users], position[users])
    last_answer = np.full(size, -1)
    answers = table.role == ASSISTANT
    np.maximum.at(last_answer, table.record[answers], position[answers])
    return (last_answer > first_user)[table.record]


def _silence(table: TurnTable, findings: Findings, *, strict: bool) -> None:
    nothing = ~table.text & ~table.call & ~table.other_parts
    assistant = table.role == ASSISTANT
    trained = _trained(table)
    redacted = nothing & assistant & table.batch.turns.null_content
    # Where flags say which turns are trained on, a turn that is not may be empty: it was redacted on purpose.
    excused = redacted & (trained == 0)
    _mark(table, findings, "redacted_turn", redacted & (trained == 1) & ~table.reasoning)
    _mark(table, findings, "no_answer", nothing & assistant & table.reasoning & ~excused)
    mute = nothing & assistant & ~table.reasoning & ~excused & ~(redacted & (trained == 1))
    mute |= nothing & (table.role == USER)
    if strict:
        mute |= nothing & ((table.role == SYSTEM) | (table.role == TOOL))
    _mark(table, findings, "empty_turn", mute)


def _trained(table: TurnTable) -> np.ndarray:
    """int8 a turn: 1 trained on, 0 not, -1 unknown, from the record-level fact ``train_turns`` (a list of flags)."""
    out = np.full(len(table.record), -1, np.int8)
    fact = table.batch.facts.get("train_turns")
    if fact is None:
        return out
    assistants = table.role == ASSISTANT
    for record, given in enumerate(fact.to_pylist()):
        low, high = int(table.batch.turn_start[record]), int(table.batch.turn_start[record + 1])
        flags = _flags(given)
        rows = np.arange(low, high)
        if len(flags) != len(rows):
            # Some sets give one flag an assistant turn.
            rows = rows[assistants[low:high]]
        if flags and len(flags) == len(rows):
            out[rows] = flags
    return out


def _flags(given: Any) -> list[int]:
    """One flag a turn, from a list or from a list as JSON."""
    if isinstance(given, str):
        try:
            given = orjson.loads(given)
        except orjson.JSONDecodeError:
            return []
    if not isinstance(given, list) or not all(isinstance(v, (bool, int)) for v in given):
        return []
    return [int(bool(v)) for v in given]


def finish_reasons(batch: Batch) -> list[str | None]:
    """Why generation stopped, lower case, one a record."""
    fact = batch.facts.get("finish_reason")
    if fact is None or not (pa.types.is_string(fact.type) or pa.types.is_large_string(fact.type)):
        return []
    return pc.utf8_lower(fact).to_pylist()


def final_answers(table: TurnTable) -> np.ndarray:
    """The last content segment of each record's last turn where that is an assistant's text without a call; -1: none."""
    segments = table.batch.segments
    out = np.full(len(table.batch), -1)
    rows = np.flatnonzero(table.last & (table.role == ASSISTANT) & table.text & ~table.call)
    if not len(rows):
        return out
    last_turn = np.full(len(table.batch), -2)
    last_turn[table.record[rows]] = table.turn[rows]
    mine = np.flatnonzero((segments.channel == CONTENT) & (segments.turn == last_turn[segments.record]))
    out[segments.record[mine]] = mine
    return out
