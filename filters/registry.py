"""Names of filters and where they live. A filter is imported only when a recipe asks for it.

Other packages add theirs through the entry-point group ``corpusmill.filters``.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from importlib.metadata import entry_points

from filters.contract import ConfigError, Filter

BUILT_IN = {
    "structure": "filters.structure:StructureFilter",
    "repetition": "filters.repetition:RepetitionFilter",
    "language": "filters.language:LanguageFilter",
    "narrative": "filters.narrative:NarrativeFilter",
    "pii": "filters.pii:PiiFilter",
    "optout": "filters.optout:OptoutFilter",
    "licence": "filters.licence:LicenceFilter",
    "mentions": "filters.mentions:MentionsFilter",
    "tokens": "filters.tokens:TokensFilter",
    "contamination": "filters.contamination:ContaminationFilter",
    "gopher": "filters.documents.gopher:GopherFilter",
    "gopher_repetition": "filters.documents.repetition:GopherRepetitionFilter",
    "c4": "filters.documents.c4:C4Filter",
    "fineweb": "filters.documents.fineweb:FinewebFilter",
    "numbers": "filters.numbers:NumbersFilter",
    "duplicates": "filters.duplicates:DuplicatesFilter",
    "samples": "filters.samples:SamplesFilter",
    "code": "filters.code:CodeFilter",
    "guard": "filters.guard:GuardFilter",
}
ENTRY_POINTS = "corpusmill.filters"
DATATROVE = "datatrove."
"""``datatrove.GopherQualityFilter`` names one of datatrove's own."""


def names() -> list[str]:
    """Every filter there is, ours first."""
    return [*BUILT_IN, *(e.name for e in entry_points(group=ENTRY_POINTS) if e.name not in BUILT_IN)]


def load(name: str) -> type[Filter]:
    """The class of a filter. Raises ConfigError with the nearest name when there is none."""
    if name.startswith(DATATROVE):
        return import_module("filters.datatrove").wrapped(name)
    target = BUILT_IN.get(name)
    if target is None:
        found = [e for e in entry_points(group=ENTRY_POINTS) if e.name == name]
        if not found:
            close = difflib.get_close_matches(name, names(), n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ConfigError(f"no filter {name!r}{hint}; there are {', '.join(names())}")
        target = found[0].value
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
