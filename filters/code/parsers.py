"""What the filter needs beside the project's own packages: all of it, so that a verdict does not depend on what is installed."""

from __future__ import annotations

from importlib.util import find_spec

from filters.code.grammars import GRAMMARS
from filters.contract import ConfigError


def required() -> None:
    """Raises ConfigError with what to install."""
    modules = ["tree_sitter", *sorted({module for module, _ in GRAMMARS.values()}), "sqlglot", "fissix"]
    missing = [m.replace("_", "-") for m in modules if find_spec(m) is None]
    if missing:
        raise ConfigError(
            f"code: {len(missing)} packages are not installed ({', '.join(missing)[:80]}): pip install 'corpusmill[code]'"
        )
