"""Where a telephone number can stand: the digit gate before phonenumbers' matcher.

phonenumbers looks for runs of digits and the punctuation of telephone numbers, perhaps with an extension, and tries to
read each as a number of a region. A *cluster* here is such a run without the extension and with a plus at most in
front, a *zone* the stretch around it up to characters that no candidate can contain: no candidate crosses a zone's edge.
A cluster with fewer digits than the shortest number of any region cannot be one; one of a few digits is looked up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import phonenumbers
from numba import njit
from phonenumbers import PhoneMetadata, phonenumbermatcher, phonenumberutil

from filters.pii.prefilter import approximate

STOP, LETTER, PUNCTUATION, DIGIT, PLUS = range(5)
CLOSER = 9
"""What a byte is to the fast part of the gate if it is more than a stop, a letter or punctuation in ASCII."""
FEW = 6
"""Up to this many digits, whether a number can be valid is looked up: a million cases at most, of which texts have few."""
SHORTEST_WITH_PLUS = 6
"""Country code and number together have at least so many digits in every region (a test goes through them all)."""
_DIGITS = re.compile(r"\d+")


@lru_cache(1)
def char_classes() -> np.ndarray:
    """int8[0x110000]: what each character is to phonenumbers' own candidate pattern."""
    form = approximate(phonenumbermatcher._PATTERN.pattern, int(re.IGNORECASE | re.UNICODE))
    table = np.full(0x110000, LETTER, np.int8)
    table[sorted(form.stops)] = STOP
    everything = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
    for expression, kind in (
        (f"[{phonenumberutil._VALID_PUNCTUATION}{phonenumbermatcher._LEAD_CLASS_CHARS}]", PUNCTUATION),
        (r"\d", DIGIT),
        (f"[{phonenumberutil._PLUS_CHARS}]", PLUS),
    ):
        for char in re.findall(expression, everything, re.IGNORECASE):
            table[ord(char)] = kind
    return table


def shortest(region: str) -> int:
    """Digits of the shortest number that a region has."""
    metadata = PhoneMetadata.metadata_for_region(region)
    general = metadata and metadata.general_desc
    return 99 if not general else min(n for n in general.possible_length if n > 0)


class PhoneGate:
    def __init__(self, regions: Sequence[str]) -> None:
        self.regions = tuple(regions)
        # A national prefix or country code only makes a number longer than this.
        self._shortest = {region: shortest(region) for region in regions}
        self.fewest = min(self._shortest.values())
        self.classes = char_classes()
        self.skip = np.full(256, CLOSER, np.int8)
        self.skip[:128] = np.where(self.classes[:128] <= PUNCTUATION, self.classes[:128], CLOSER)
        self._known: dict[bytes, bool] = {}

    def zones(self, data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """(which text, [zone start, zone end)) in bytes from the text's start, of texts ``data[starts[i]:ends[i]]``."""
        size = 1024
        while True:
            rows = np.zeros((size, 7), np.int64)
            count = _clusters(data, starts, ends, self.classes, self.skip, self.fewest, SHORTEST_WITH_PLUS, rows)
            if count <= size:
                break
            size = count
        texts: list[int] = []
        found: list[tuple[int, int]] = []
        for text, zone, zone_end, low, high, digits, plus in rows[:count].tolist():
            if texts and texts[-1] == text and found[-1][0] == zone:
                continue
            base = int(starts[text])
            if plus or digits > FEW or self._few(data[base + low : base + high].tobytes()):
                texts.append(text)
                found.append((zone, zone_end))
        return np.array(texts, np.int64), found

    def _few(self, cluster: bytes) -> bool:
        known = self._known.get(cluster)
        if known is None:
            groups = _DIGITS.findall(cluster.decode("utf-8"))
            runs = ("".join(groups[i:j]) for i in range(len(groups)) for j in range(i + 1, len(groups) + 1))
            known = any(len(run) >= self.fewest and self._valid(run) for run in runs)
            if len(self._known) > 200_000:
                self._known.clear()
            self._known[cluster] = known
        return known

    def _valid(self, digits: str) -> bool:
        """Whether any region takes these digits for a number. The matcher asks this, and more, of every candidate."""
        for region, least in self._shortest.items():
            if len(digits) < least:
                continue
            try:
                if phonenumbers.is_valid_number(phonenumbers.parse(digits, region)):
                    return True
            except phonenumbers.NumberParseException:
                continue
        return False


@njit(cache=True, nogil=True)
def _clusters(
    data: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    classes: np.ndarray,
    skip: np.ndarray,
    fewest: int,
    with_plus: int,
    rows: np.ndarray,
) -> int:
    """Rows of (text, zone start, zone end, cluster start, cluster end, digits, plus); how many there are, kept or not."""
    count = 0
    for t in range(len(starts)):
        base, end = starts[t], ends[t]
        zone, first = base, count
        cluster, digits, plus = np.int64(-1), 0, 0
        i = base
        while i <= end:
            if digits == 0 and plus == 0:
                # Nothing without a digit or a plus becomes a row, so where such a cluster starts does not matter either.
                cluster = np.int64(-1)
                began = i
                if count == first:
                    while i < end and skip[data[i]] != CLOSER:
                        i += 1
                    # The zone starts behind the last stop. Looked for afterwards, so that the loop above asks one thing a byte.
                    back = i - 1
                    while back >= began and skip[data[back]] != STOP:
                        back -= 1
                    if back >= began:
                        zone = back + 1
                else:
                    while i < end and skip[data[i]] != CLOSER and skip[data[i]] != STOP:
                        i += 1
            step, kind = 1, 0
            if i < end:
                b = np.int64(data[i])
                code = b
                if b >= 0xF0 and i + 3 < end:
                    code = (b & 7) << 18 | (data[i + 1] & 63) << 12 | (data[i + 2] & 63) << 6 | (data[i + 3] & 63)
                    step = 4
                elif b >= 0xE0 and i + 2 < end:
                    code = (b & 15) << 12 | (data[i + 1] & 63) << 6 | (data[i + 2] & 63)
                    step = 3
                elif b >= 0xC0 and i + 1 < end:
                    code = (b & 31) << 6 | (data[i + 1] & 63)
                    step = 2
                kind = classes[code] if code < 0x110000 else 1
            # A plus can only open a candidate: behind digits it starts another one.
            if kind >= 2 and not (kind == 4 and digits > 0):
                if cluster < 0:
                    cluster = i
                digits += kind == 3
                plus += kind == 4
            else:
                if cluster >= 0:
                    if digits >= fewest or (plus > 0 and digits >= with_plus):
                        if count < len(rows):
                            rows[count, 0] = t
                            rows[count, 1] = zone - base
                            rows[count, 3] = cluster - base
                            rows[count, 4] = i - base
                            rows[count, 5] = digits
                            rows[count, 6] = plus
                        count += 1
                    cluster, digits, plus = np.int64(-1), 0, 0
                if kind == 4:
                    cluster, plus = i, 1
                if kind == 0:
                    for k in range(first, min(count, len(rows))):
                        rows[k, 2] = i - base
                    first = count
                    zone = i + 1
            i += step
    return count
