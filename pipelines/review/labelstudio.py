"""Label Studio's side of a review: tasks as it imports them, its labelling page, and the verdicts it exports."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from pipelines.errors import UsageError
from pipelines.review.sample import Finding

CONFIRMED, REFUTED, UNSURE = VERDICTS = ("confirmed", "refuted", "unsure")
AROUND = 300
"""Characters of text shown before and after a finding."""

NOTICE = "This file holds personal data as it was found. Keep it where only reviewers read it, and delete it after the import."


def page(rules: Iterable[str]) -> str:
    """The labelling configuration: the text with its finding marked, and one question."""
    labels = "".join(f"<Label value={quoteattr(r)}/>" for r in sorted(rules))
    choices = "".join(f"<Choice value={quoteattr(v)}/>" for v in VERDICTS)
    return (
        '<View>\n  <Header value="$question"/>\n'
        f'  <Labels name="label" toName="text">{labels}</Labels>\n  <Text name="text" value="$text"/>\n'
        f'  <Choices name="verdict" toName="text" choice="single" required="true" showInline="true">{choices}</Choices>\n'
        "</View>\n"
    )


def task(finding: Finding, text: str, recipe: str) -> dict[str, Any]:
    """One finding as a task with a prediction that marks it. recipe: the fingerprint of the run that found it."""
    first = max(0, finding.start - AROUND)
    excerpt = text[first : finding.end + AROUND]
    value = text[finding.start : finding.end]
    marked = {
        "from_name": "label",
        "to_name": "text",
        "type": "labels",
        "value": {
            "start": finding.start - first, "end": finding.end - first, "text": value, "labels": [finding.rule],
        },
    }  # fmt: skip
    return {
        "data": {
            "text": excerpt,
            "question": f"{finding.rule}: is {value!r} right?",
            "value": value,
            "rule": finding.rule,
            "record": f"{finding.shard}:{finding.row}",
            "place": f"turn {finding.turn}, {finding.channel}, {finding.start} to {finding.end}",
            "key": finding.key,
            "recipe": recipe,
            "notice": NOTICE,
        },
        "predictions": [{"model_version": "corpusmill", "result": [marked]}],
    }


def verdicts(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """(data of the task, verdict) of every annotation in an export (JSON or JSON-MIN); skipped tasks have none."""
    try:
        tasks = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{path}: not JSON; export from Label Studio as JSON or JSON-MIN") from None
    if not isinstance(tasks, list) or not all(isinstance(t, dict) for t in tasks):
        raise UsageError(f"{path}: not a list of tasks; export from Label Studio as JSON or JSON-MIN")
    for number, told in enumerate(tasks):
        data = told["data"] if isinstance(told.get("data"), dict) else told
        if any(not isinstance(data.get(name), str) for name in ("key", "rule", "value", "recipe")):
            raise UsageError(f"{path}: task {number} is not one of ours: it lacks what `review export` wrote into it")
        for verdict in _given(told):
            if verdict not in VERDICTS:
                raise UsageError(f"{path}: task {number} has a verdict that is none of {', '.join(VERDICTS)}")
            yield data, verdict


def _given(told: dict[str, Any]) -> Iterator[str]:
    if "annotations" not in told:
        if "verdict" in told:
            yield told["verdict"]
        return
    for annotation in told["annotations"] or ():
        if annotation.get("was_cancelled"):
            continue
        for result in annotation.get("result") or ():
            if result.get("from_name") == "verdict":
                yield from (result.get("value") or {}).get("choices") or ()
