"""Imported once by the server that workers are forked from: every filter is built, its kernels compiled, and then shared.

Without this, each worker would load the same models and, at the very first run, compile the same kernels beside the others.
"""

from __future__ import annotations

import contextlib
import json
import os

import pyarrow as pa

from pipelines.schemas.read import read
from pipelines.schemas.recognise import recognise
from pipelines.steps import build

STAGES = "CORPUSMILL_STAGES"
"""Environment variable: the stages as JSON, a list of names with their options."""

_TRIAL = [
    {"role": "user", "content": "How many are left? Write to me."},
    {"role": "assistant", "content": "Seven are left, and then one more came. " * 40},
]


def warm(stages: list[tuple[str, dict]]) -> None:
    """Build the filters and let each judge one record; what fails here fails again, and is told, where it is used."""
    rows = pa.RecordBatch.from_pylist([{"messages": _TRIAL}])
    batch = read(rows, recognise(rows.schema), max_record_bytes=1 << 20).batch
    for name, options in stages:
        with contextlib.suppress(Exception):
            made = build(name, json.dumps(options, sort_keys=True))
            if not made.asks_elsewhere(made.options):
                made.judge(batch)


warm(json.loads(os.environ.get(STAGES, "[]")))
