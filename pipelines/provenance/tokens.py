"""How many tokens a dataset has, from the sums of the ``tokens`` filter: exact, or estimated from its sample with an interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.statistics import Z95


def total(filters: Sequence[Mapping[str, Any]], kept: int) -> dict[str, Any] | None:
    """Tokens of kept records as the manifest tells them; None where no filter counted any.

    filters: entries of the manifest. From a sample it is the ratio estimator: bytes of all records times tokens a byte in the
    sample, its variance by linearisation with finite-population correction (Cochran, Sampling Techniques, 6.4 and 6.9). The
    interval is the normal one at 95 %, null while the sample is too small (fewer than two records) to have one.
    """
    found = [f for f in filters if "sampled" in f.get("sums", {})]
    if not found:
        return None
    [told] = found
    sums = told["sums"]
    n, tokens, size = sums["sampled"], sums["tokens"], sums["bytes"]
    base = {"tokenizer": dict(told["assets"]), "bytes": size, "sampled_records": n, "of_records": kept}
    if n == kept:
        return {"total": tokens, "low": tokens, "high": tokens, "exact": True, **base}
    if n < 2 or not sums["sampled_bytes"]:
        return {"total": None, "low": None, "high": None, "exact": False, **base}
    ratio = tokens / sums["sampled_bytes"]
    half = Z95 * _error(sums, n, kept, ratio)
    middle = ratio * size
    low, high = max(tokens, middle - half), middle + half
    return {"total": round(middle), "low": math.floor(low), "high": math.ceil(high), "exact": False, **base}


def shown(told: Mapping[str, Any]) -> str:
    """The figure in words."""
    found = told.get("tokens")
    if not found:
        return "not counted"
    if found["total"] is None:
        return "not known (the sample is too small)"
    if found["exact"]:
        return f"{found['total']:,}"
    return f"about {found['total']:,} ({found['low']:,} to {found['high']:,}, 95 % interval, from {found['sampled_records']:,} records)"


def _error(sums: Mapping[str, int], n: int, of: int, ratio: float) -> float:
    """Standard error of the estimated total. sum((y - Rx)^2) from the sums of squares and products."""
    spread = sums["tokens_squared"] - 2 * ratio * sums["tokens_by_bytes"] + ratio * ratio * sums["bytes_squared"]
    variance = max(0.0, spread) / (n - 1)
    return of * math.sqrt((1 - n / of) * variance / n)
