"""What the page needs to know of filters beyond the manifest: their class, and the options they ran with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filters.contract import ConfigError, Filter
from filters.reading import ReadFilter
from filters.registry import load


def known(name: str) -> type[Filter] | None:
    """The filter's class; None where its package is not installed any more."""
    try:
        return ReadFilter if name == "read" else load(name)
    except (ConfigError, ImportError):
        return None


def options_of(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The options it ran with."""
    for entry in told["recipe"]["effective"].get("filters", []):
        if name in entry:
            return entry[name] or {}
    return {}
