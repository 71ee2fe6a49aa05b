"""Pathological repetition in reasoning and answers: loops, counters, bursts and going in circles."""

from filters.repetition.filter import RepetitionFilter

__all__ = ["RepetitionFilter"]
