"""Imported once by the server that workers are forked from, so that each starts with everything loaded."""

from __future__ import annotations

import contextlib

import pipelines.steps  # noqa: F401

for _module in ("numba", "presidio_analyzer", "hyperscan", "fasttext"):
    with contextlib.suppress(ImportError):
        __import__(_module)
