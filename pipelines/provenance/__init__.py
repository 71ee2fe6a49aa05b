"""What the rest of the world reads of a dataset, made from its manifest alone and so the same for the same dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PAGES = ("README.md", "croissant.json", "provenance.intoto.json")


def pages(told: Mapping[str, Any]) -> dict[str, bytes]:
    """The generated files of a dataset by name: the Hugging Face card, Croissant, and the in-toto statement."""
    # Imported here: recipes need `about` alone.
    from pipelines.provenance import card, croissant, intoto

    made = {"README.md": card.render(told), "croissant.json": croissant.render(told)}
    return {**made, "provenance.intoto.json": intoto.render(told, made)}
