"""A model as we read it, held to fastText itself when it is loaded: a file of a kind that nobody has tried must not be guessed at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from filters.contract import ConfigError
from filters.language.weights import Network

MOST_BYTES = 64 << 20
"""Larger models are not read a second time: fastText would copy them into each worker's memory."""
TOLERANCE = 0.011
"""By so much its table of sigmoids is off."""

_PROBES = (
    "The train was late again, so we walked home along the river.",
    "Der Zug kam wieder zu spät, also gingen wir am Fluss entlang nach Hause.",
    "火车又晚点了，所以我们沿着河走回家。",
    "Поезд снова опоздал, и мы пошли домой вдоль реки.",
)


def hold(path: Path, labels: Sequence[str], network: Network) -> None:
    """Raises ConfigError where the best label's probability is another one than fastText's."""
    if path.stat().st_size > MOST_BYTES:
        return
    import fasttext

    from filters.language.predict import predict

    real = fasttext.load_model(str(path))
    for probe in _PROBES:
        raw = np.frombuffer(probe.encode(), np.uint8)
        best, chance = np.empty((1, 1), np.int32), np.empty((1, 1), np.float32)
        predict(network, raw, np.array([0]), np.array([len(raw)]), len(labels), best, chance)
        wanted = dict(zip(*real.predict(probe, k=len(labels)), strict=True))
        # Two labels may be as good as each other, so what is compared is how probable the one that we take is.
        ours = labels[best[0, 0]] if best[0, 0] >= 0 else None
        if ours is not None and abs(wanted.get(ours, 0.0) - chance[0, 0]) > TOLERANCE:
            raise ConfigError(f"language: {path} is read otherwise than fastText reads it; please report its kind")
