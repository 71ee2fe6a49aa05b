"""Values that are no finding: given in the recipe, or refuted by people and kept as hashes in a file.

The file is JSON, ``{"version": 1, "values": {ENTITY: [sha256, ...]}}``; the hash is of the entity and the value without what people
write differently (case, spaces, and in numbers everything but digits). It names nobody by itself, but a hash of a telephone number
can be found by trying them all, so it is no place for values that somebody confirmed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from filters.contract import ConfigError

VERSION = 1
_NUMBERS = frozenset({"PHONE_NUMBER", "CREDIT_CARD"})


def value_hash(entity: str, value: str) -> str:
    """sha256, in hex, of what is the same however it is written."""
    plain = "".join(value.split()).casefold()
    if entity in _NUMBERS:
        plain = "".join(c for c in plain if c.isdigit())
    return hashlib.sha256(f"{entity}\0{plain}".encode()).hexdigest()


def load(path: str) -> Mapping[str, frozenset[str]]:
    """Hashes by entity. Raises ConfigError when it is not such a file."""
    try:
        told = json.loads(Path(path).read_text("utf-8"))
        if told["version"] != VERSION:
            raise ConfigError(f"pii: {path} is an allow-list of version {told['version']!r:.20}; this reads {VERSION}")
        return {str(entity): frozenset(map(str, hashes)) for entity, hashes in told["values"].items()}
    except OSError as error:
        raise ConfigError(f"pii: the allow-list {path} cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"pii: {path} is not an allow-list (`corpusmill review import --allow` writes one)") from None


def digest(path: str) -> str:
    """sha256 of the file, for the manifest. Raises ConfigError when it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f"pii: the allow-list {path} cannot be read ({error.strerror})") from None
