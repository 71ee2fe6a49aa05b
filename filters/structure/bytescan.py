"""One pass over the bytes of every segment: what is in it that a closer look is worth.

The pass sets flags; it may set too many (a marker that turns out to stand in a code span) but never too few.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from filters.batch import Segments

NUL, CONTROL, C1, REPLACEMENT, MOJIBAKE, THINK, CALL, TEMPLATE, BOXED, TEXT, FENCE, PARTS = (1 << i for i in range(12))
"""Flags. TEXT: the segment has a byte that is not white space."""

THINK_HEADS = (
    "<think", "</think", "<thought", "</thought", "<reasoning", "</reasoning", "<scratchpad", "</scratchpad",
    "<inner_monologue", "</inner_monologue", "<antthinking", "</antthinking", "<seed:think", "</seed:think",
    "<|begin_of_thought", "<|end_of_thought", "<|think", "<|/think", "<|end_think", "<|begin_think", "<|start_think",
    "[think]", "[/think]", "◁think", "◁/think", "<|channel|>analysis", "<mm:think", "</mm:think",
)  # fmt: skip
CALL_HEADS = (
    "<tool_call", "</tool_call", "<function_call", "</function_call", "<functioncall", "<function=", "[tool_calls]",
    "<|python_tag|>", "<|tool_call", "<｜tool", "<invoke name=", "<toolcall", "<tool_code", "<tool_use",
    "<start_function_call", "<|channel|>commentary", "<action_call", "<|tool▁call", "<invoke",
)  # fmt: skip
TEMPLATE_HEADS = (
    "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|begin_of_text|>",
    "<|end_of_text|>", "<|endoftext|>", "<|assistant|>", "<|user|>", "<|system|>", "<|end|>", "<|start|>",
    "<|message|>", "<|return|>", "<|channel|>", "[inst]", "[/inst]", "<<sys>>", "<start_of_turn>", "<end_of_turn>",
    "<｜user｜>", "<｜assistant｜>", "<｜end▁of▁sentence｜>", "<｜begin▁of▁sentence｜>", "<|start_of_role|>",
    "<|turn_end|>", "<special_", "<|begin_of_solution|>", "<|end_of_solution|>", "<|start_response|>", "<|end_response|>",
)  # fmt: skip

_HEADS = [
    *((h, THINK) for h in THINK_HEADS),
    *((h, CALL) for h in CALL_HEADS),
    *((h, TEMPLATE) for h in TEMPLATE_HEADS),
    ("\\boxed", BOXED),
    ("\\fbox", BOXED),
    ("```", FENCE),
    ("~~~", FENCE),
    ('[{"type"', PARTS),
    ("[{'type'", PARTS),
]


def _tables() -> tuple[np.ndarray, ...]:
    heads = sorted((h.encode(), flag) for h, flag in _HEADS)
    flat = np.frombuffer(b"".join(h for h, _ in heads), np.uint8).copy()
    size = np.array([len(h) for h, _ in heads], np.int64)
    at = np.concatenate([[0], np.cumsum(size)[:-1]])
    flags = np.array([f for _, f in heads], np.int64)
    first = np.array([h[0] for h, _ in heads])
    low = np.searchsorted(first, np.arange(257))
    pair = np.zeros((256, 256), np.bool_)
    for head, _ in heads:
        for a in {head[0], *bytes([head[0]]).upper()}:
            for b in {head[1], *bytes([head[1]]).upper()}:
                pair[a, b] = True
    # Class 1: white space. 2: control. 3: starts a marker. 4: C2, C3, EF, which start suspicious characters. 0: the rest.
    kinds = np.zeros(256, np.uint8)
    kinds[:32] = 2
    kinds[127] = 2
    kinds[[9, 10, 13, 32]] = 1
    kinds[np.flatnonzero(pair.any(axis=1))] = 3
    kinds[[0xC2, 0xC3, 0xEF]] = 4
    return kinds, pair, flat, at, size, flags, low


_TABLES = _tables()


@njit(cache=True, nogil=True)
def _flags_of(data, start, end, kinds, pair, flat, at, size, flags, low):  # type: ignore[no-untyped-def]
    found = 0
    i = start
    while i < end and kinds[data[i]] == 1:
        i += 1
    while i < end:
        # Most bytes are letters and spaces, and say no more than that there is text.
        while i < end and kinds[data[i]] < 2:
            found |= TEXT
            i += 1
        if i >= end:
            break
        byte = data[i]
        kind = kinds[byte]
        if kind == 2:
            if byte == 0:
                found |= NUL
                # A file of NULs is known by its first kilobyte; the rest of it says nothing new.
                if i - start > 1024 and found == NUL:
                    return found
            else:
                found |= CONTROL
        elif kind == 3:
            found |= TEXT
            if i + 1 < end and pair[byte, data[i + 1]]:
                lower = byte | 32 if 65 <= byte <= 90 else byte
                for h in range(low[lower], low[lower + 1]):
                    if found & flags[h] or i + size[h] > end:
                        continue
                    same = True
                    for k in range(1, size[h]):
                        c = data[i + k]
                        if 65 <= c <= 90:
                            c |= 32
                        if c != flat[at[h] + k]:
                            same = False
                            break
                    if same:
                        found |= flags[h]
        elif kind == 4:
            found |= TEXT
            if i + 1 < end:
                after = data[i + 1]
                if byte == 0xC2:
                    if 0x80 <= after <= 0x9F:
                        found |= C1
                elif byte == 0xC3:
                    # Capital A with a mark, or a with a circumflex, then another character from beyond ASCII.
                    lead = after == 0x83 or after == 0x82 or after == 0xA2 or after == 0xA3
                    if lead and i + 2 < end and data[i + 2] >= 0xC2:
                        found |= MOJIBAKE
                elif after == 0xBF and i + 2 < end and data[i + 2] == 0xBD:
                    found |= REPLACEMENT
        i += 1
    return found


@njit(cache=True, nogil=True)
def _scan(data, starts, ends, kinds, pair, flat, at, size, flags, low):  # type: ignore[no-untyped-def]
    out = np.zeros(len(starts), np.int32)
    for s in range(len(starts)):
        out[s] = _flags_of(data, starts[s], ends[s], kinds, pair, flat, at, size, flags, low)
    return out


def scan(segments: Segments, which: np.ndarray) -> np.ndarray:
    """int32 flags of every segment; 0 for those not asked for."""
    out = np.zeros(len(segments), np.int32)
    for number in np.unique(segments.buffer[which]):
        mine = which[segments.buffer[which] == number]
        out[mine] = _scan(segments.buffers[number], segments.start[mine], segments.end[mine], *_TABLES)
    return out
