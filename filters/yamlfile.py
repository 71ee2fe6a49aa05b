"""YAML files that people bring along: rule packs, lexicons, mappings. They are data of bounded size, whatever they unfold to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from filters.contract import ConfigError

MOST_BYTES = 4 << 20
MOST_VALUES = 1_000_000
"""Values in a file with its aliases unfolded; the largest that comes with the package has 9,000."""

T = TypeVar("T")


def read(path: Path, kind: type[T], what: str) -> T:
    """The file as a ``kind``. Raises ConfigError, which begins with ``what``, for anything that is wrong with it."""
    # Imported here: planning needs no YAML of ours.
    import yaml

    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ConfigError(f"{what}: larger than {MOST_BYTES >> 20} MiB")
        document = yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        if _values(document, {}) > MOST_VALUES:
            raise ConfigError(f"{what}: its aliases unfold to more than {MOST_VALUES:,} values")
        return msgspec.convert(document, kind)
    except OSError as error:
        raise ConfigError(f"{what}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        # msgspec's errors are ValueErrors; the others are what PyYAML's own constructors raise for ``!!int x`` and the like.
        raise ConfigError(f"{what}: {' '.join(str(error).split())[:300]}") from None


def _values(value: Any, known: dict[int, int]) -> int:
    """Values in a document, those of an alias as often as it is used. One that holds itself has no end."""
    if not isinstance(value, (dict, list)):
        return 1
    if (count := known.get(id(value))) is None:
        known[id(value)] = MOST_VALUES + 1
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        count = known[id(value)] = 1 + sum(_values(v, known) for v in inner)
    return count
