"""What an endpoint sent back, as categories and their probabilities; anything but a clear answer is none."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import orjson

from filters.guard.categories import UNLISTED
from filters.guard.templates import Form, Side, Template

MOST_TOKENS = 1 << 40


class Rubbish(ValueError):
    """Not an answer. Its message never quotes what was sent: that may quote the record."""


class Answer(msgspec.Struct, frozen=True):
    """found: category -> probability, empty if safe. Nothing of the text, so that it can be kept."""

    found: dict[str, float]
    prompt_tokens: int = 0
    completion_tokens: int = 0


def parsed(data: bytes, template: Template, side: Side, policy: str) -> Answer:
    """Raises Rubbish."""
    try:
        told = orjson.loads(data)
        choice = told["choices"][0]
        text = choice["message"]["content"] if template.api == "chat" else choice["text"]
        usage = told.get("usage") or {}
        tokens = [_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens")]
        if not isinstance(text, str):
            raise Rubbish("no text")
        return Answer(_found(text.strip(), choice, template, side, policy), *tokens)
    except Rubbish:
        raise
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Rubbish("not the JSON of a completion") from None


def _found(text: str, choice: Any, template: Template, side: Side, policy: str) -> dict[str, float]:
    form = template.answer
    if form.kind == "lines":
        return _lines(text, template)
    if form.kind == "json":
        return _json(text, template, form, form.prompt_key if side == "prompt" else form.response_key)
    return {policy: _yes(text, choice)}


def _lines(text: str, template: Template) -> dict[str, float]:
    first, *rest = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    if first.lower() == "safe" and not rest:
        return {}
    if first.lower() != "unsafe":
        raise Rubbish("neither safe nor unsafe")
    return _named(rest[0] if rest else "", template)


def _json(text: str, template: Template, form: Form, key: str) -> dict[str, float]:
    text = text.removeprefix("```json").removeprefix("```").removesuffix("```")
    told = orjson.loads(text)
    said = str(told[key]).strip().lower()
    if said == "safe":
        return {}
    if said != "unsafe":
        raise Rubbish("neither safe nor unsafe")
    listed = told.get(form.categories_key) or ""
    return _named(",".join(map(str, listed)) if isinstance(listed, list) else str(listed), template)


def _named(listed: str, template: Template) -> dict[str, float]:
    """Categories by their names or codes (``S1``, ``S1: Violence.``); what the map does not have is unlisted, and still unsafe."""
    known = {_plain(name): code for name, code in template.categories.items()}
    found = {}
    for name in filter(None, map(str.strip, listed.split(","))):
        before, _, after = name.partition(":")
        code = known.get(_plain(name)) or known.get(_plain(before)) or known.get(_plain(after))
        found[code or UNLISTED] = 1.0
    return found or {UNLISTED: 1.0}


def _plain(name: str) -> str:
    return name.strip(" .\"'").casefold()


def _yes(text: str, choice: Any) -> float:
    """The probability of Yes against No, from the first token's alternatives; 1 or 0 by the word alone where there are none."""
    word = text.lower()
    if not word.startswith(("yes", "no")):
        raise Rubbish("neither yes nor no")
    sums = {"yes": 0.0, "no": 0.0}
    for token, logprob in _alternatives(choice):
        if (plain := token.strip(" ▁\n").lower()) in sums and logprob <= 0:
            sums[plain] += math.exp(logprob)
    total = sum(sums.values())
    return sums["yes"] / total if total > 0 else float(word.startswith("yes"))


def _alternatives(choice: Any) -> list[tuple[str, float]]:
    told = choice.get("logprobs") or {}
    if first := (told.get("content") or [None])[0]:
        return [(str(t["token"]), float(t["logprob"])) for t in first.get("top_logprobs") or ()]
    first = (told.get("top_logprobs") or [None])[0] or {}
    return [(str(token), float(p)) for token, p in first.items()]


def _count(told: Any) -> int:
    return told if isinstance(told, int) and not isinstance(told, bool) and 0 <= told < MOST_TOKENS else 0
