"""Footnotes: where in which manifest a figure stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipelines.provenance.facts import Figure
from pipelines.provenance.words import UNDECLARED, period, plain

MOST_PLACES = 100
"""Places written out in one note; of more, the first and how many."""


class Notes:
    """Numbers a figure's places once, in the order in which they are first used."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, ...], int] = {}

    def number(self, figure: Figure, text: str | None = None) -> str:
        """The value (or a text for it) with its mark."""
        shown = text if text is not None else UNDECLARED if figure.value is None else _shown(figure.value)
        if not figure.places:
            return shown
        return f"{shown}[^{self._numbers.setdefault(figure.places, len(self._numbers) + 1)}]"

    def tokens(self, figure: Figure) -> str:
        t = figure.value
        if t is None:
            return "not counted"
        text = (
            f"{t['total']:,}" if t["exact"] else f"about {t['total']:,} ({t['low']:,} to {t['high']:,}, 95 % interval)"
        )
        if t["counted"] < t["of"]:
            text += f", of {t['counted']} of {t['of']} datasets"
        if t["tokenizers"] > 1:
            text += f", by {t['tokenizers']} different tokenizers"
        return self.number(figure, text)

    def period(self, figure: Figure) -> str:
        return self.number(figure, period(figure.value))

    def methods(self, figure: Figure) -> str:
        """One method, or that it is several."""
        found = [plain(v) for v in figure.value]
        text = UNDECLARED if not found else found[0] if len(found) == 1 else f"hybrid: {', '.join(found)}"
        return self.number(figure, text)

    def lines(self) -> Iterator[str]:
        for places, number in self._numbers.items():
            shown = "; ".join(map(_place, places[:MOST_PLACES]))
            more = f"; and {len(places) - MOST_PLACES:,} more" if len(places) > MOST_PLACES else ""
            yield f"[^{number}]: {'Sum or range of ' if len(places) > 1 else ''}{shown}{more}"


def _place(place: str) -> str:
    label, _, pointer = place.partition(": manifest.json#")
    return f"{plain(label)}: `manifest.json#{pointer.replace('`', '')}`"


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else plain(value)
