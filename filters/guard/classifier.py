"""A fastText model as the guard. The reading of models and the compiled prediction are the language filter's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from filters.batch import Batch
from filters.contract import ConfigError
from filters.guard import categories
from filters.guard.findings import Findings
from filters.guard.pieces import Pieces
from filters.language import held, weights
from filters.language.model import digest

PREFIX = "__label__"
AT_ONCE = 4096
"""Pieces predicted in one call, which bounds the table of their labels."""


def asset(model: str) -> Mapping[str, str]:
    path = _file(model)
    return {path.name: digest(path)}


class Classifier:
    """A model and which of its labels are unsafe. Raises ConfigError for a file or label that is not there."""

    def __init__(self, model: str, labels: Mapping[str, str]) -> None:
        path = _file(model)
        try:
            names, self._network = weights.load(path)
            held.hold(path, names, self._network)
        except ConfigError as error:
            raise ConfigError(f"guard.model: {str(error).removeprefix('language: ')}") from None
        self._count = len(names)
        self._category = _mapped([n.removeprefix(PREFIX) for n in names], labels)
        self.categories = frozenset(labels.values())

    def judge(self, batch: Batch, pieces: Pieces) -> Findings:
        """A category's probability in a piece is that of its likeliest label."""
        found = Findings.none(len(batch))
        segments = batch.segments
        found.questions += np.bincount(segments.record[pieces.segment], minlength=len(batch))
        buffer = segments.buffer[pieces.segment]
        for b in np.unique(buffer).tolist():
            mine = np.flatnonzero(buffer == b)
            for part in np.split(mine, np.arange(AT_ONCE, len(mine), AT_ONCE)):
                self._add(segments.buffers[b], segments.start[pieces.segment[part]], pieces, part, found)
        found.rows.sort()
        return found

    def _add(self, text: np.ndarray, base: np.ndarray, pieces: Pieces, part: np.ndarray, found: Findings) -> None:
        # Imported here: numba takes a second, which `plan` has no use for.
        from filters.language.predict import predict

        label = np.empty((len(part), self._count), np.int32)
        probability = np.empty(label.shape, np.float32)
        predict(
            self._network, text, base + pieces.start[part], base + pieces.end[part], self._count, label, probability
        )
        best: dict[tuple[int, str], float] = {}
        unsafe = np.array([c is not None for c in self._category])
        for row, column in np.argwhere((label >= 0) & unsafe[label]).tolist():
            key = (int(part[row]), str(self._category[label[row, column]]))
            best[key] = max(best.get(key, 0.0), float(probability[row, column]))
        for (piece, category), p in best.items():
            found.add(int(pieces.segment[piece]), int(pieces.start[piece]), int(pieces.end[piece]), category, p)


def _file(model: str) -> Path:
    path = Path(model)
    if not path.is_file():
        raise ConfigError(f"guard.model: there is no file {model}; give the path of a fastText .bin or .ftz file")
    return path


def _mapped(names: list[str], labels: Mapping[str, str]) -> list[str | None]:
    """The category of each label; None: it is safe."""
    wanted = {label.removeprefix(PREFIX): category for label, category in labels.items()}
    categories.check_codes("guard.labels", wanted.values())
    if missing := [label for label in wanted if label not in names]:
        raise ConfigError(f"guard.labels: the model has no label {missing[0]!r:.80}; it has {', '.join(names)[:300]}")
    if not wanted:
        raise ConfigError(f"guard.labels is not set: say which of {', '.join(names)[:300]} are unsafe")
    return [wanted.get(name) for name in names]
