"""Structural validation: is a record what a chat template, a trainer and a tool runtime will accept?"""

from filters.structure.filter import StructureFilter

__all__ = ["StructureFilter"]
