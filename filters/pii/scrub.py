"""What stands in a value's place. Within a record the same value always gets the same replacement."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections import defaultdict

from filters.contract import ConfigError
from filters.pii.surrogate import surrogate

HASH_KEY = "CORPUSMILL_HASH_KEY"
LABELS = {"EMAIL_ADDRESS": "EMAIL", "PHONE_NUMBER": "PHONE", "IBAN_CODE": "IBAN", "IP_ADDRESS": "IP"}
"""Names in placeholders; other entities go by their own."""
_EXTENSION = re.compile(r"(?i)\s*(?:x|ext|#).*$", re.DOTALL)
_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


def label(entity: str) -> str:
    return LABELS.get(entity, entity)


def identity(entity: str, value: str) -> str:
    """What makes two spellings one value: an e-mail's case, a number's separators and country prefix do not."""
    if entity == "EMAIL_ADDRESS":
        return value.casefold()
    if entity == "PHONE_NUMBER":
        # The last nine digits: with and without a country or trunk prefix it is the same telephone.
        return re.sub(r"\D", "", _EXTENSION.sub("", value))[-9:] or value
    if entity in ("CREDIT_CARD", "IBAN_CODE", "US_SSN"):
        return re.sub(r"[\W_]", "", value).upper()
    return value


def hash_key() -> bytes:
    """The key for ``action: hash``, from the environment only, so that it lands in no recipe and no manifest."""
    key = os.environ.get(HASH_KEY, "")
    if len(key) < 16:
        raise ConfigError(
            f"pii: action hash needs a key of 16 or more characters in the environment variable {HASH_KEY}"
        )
    return key.encode()


class Record:
    """Replacements of one record. taken: for each label the highest number that its text already uses."""

    def __init__(self, action: str, key: bytes, taken: dict[str, int]) -> None:
        self.action = action
        self._key = key
        self._taken = taken
        self._numbers: dict[tuple[str, str], int] = {}
        self._count: dict[str, int] = defaultdict(int)

    def number(self, entity: str, value: str) -> int:
        """1, 2, 3… in the order in which values of the entity are first asked for."""
        key = (label(entity), identity(entity, value))
        if key not in self._numbers:
            self._count[key[0]] += 1
            self._numbers[key] = self._count[key[0]] + self._taken.get(key[0], 0)
        return self._numbers[key]

    def replacement(self, entity: str, value: str) -> str:
        if self.action == "mask":
            return re.sub(r"[^\W_]", "*", value) if len(value) < 200 else "*" * 16
        if self.action == "hash":
            data = f"{label(entity)}\0{identity(entity, value)}".encode()
            digest = hmac.new(self._key, data, hashlib.sha256).hexdigest()[:12]
            return f"<{label(entity)}_{digest.translate(_LETTERS)}>"
        number = self.number(entity, value)
        return surrogate(entity, value, number) if self.action == "surrogate" else f"<{label(entity)}_{number}>"
