"""fastText models read by ourselves: the compiled prediction says what the extension module says, for models of every kind."""

from __future__ import annotations

import struct
from functools import cache

import fasttext
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.contract import ConfigError
from filters.language import LanguageFilter, LanguageOptions, held, weights
from filters.language.model import BEST, locate
from filters.language.predict import LEAST, predict
from tests.support import batch_of

WORDS = ["</s>", "the", "vote", "le", "vote,", "über", "票"]
LABELS = ["__label__fra_Latn", "__label__eng_Latn", "__label__zho_Hans", "__label__nap_Latn"]
DIM, BUCKET = 4, 97


def a_model(path, *, loss=weights.SOFTMAX, quantised=False, word_ngrams=1, shortest=2, longest=4):
    """A model with random weights, written as fastText 0.9.2 does. Quantised ones have a third of their n-grams pruned."""
    r = np.random.default_rng(7)
    kept = {h: i for i, h in enumerate(range(0, BUCKET, 3))} if quantised else {}
    rows = len(WORDS) + (len(kept) or BUCKET)
    arguments = struct.pack("<13id", 12, DIM, 5, 5, 1, 5, word_ngrams, loss, 3, BUCKET, shortest, longest, 100, 1e-4)
    names = [(w, 9, 0) for w in WORDS] + [(label, 50 - 9 * i, 1) for i, label in enumerate(LABELS)]
    dictionary = struct.pack("<3i2q", len(names), len(WORDS), len(LABELS), 1000, len(kept) if quantised else -1)
    dictionary += b"".join(n.encode() + b"\0" + struct.pack("<qb", count, kind) for n, count, kind in names)
    dictionary += b"".join(struct.pack("<2i", *pair) for pair in kept.items())
    given = _quantised(r, rows) if quantised else _dense(r, rows)
    path.write_bytes(
        struct.pack("<i", 793712314) + arguments + dictionary + struct.pack("<?", quantised) + given
        + struct.pack("<?", False) + _dense(r, len(LABELS))
    )  # fmt: skip
    return path


def _dense(r, rows):
    return struct.pack("<2q", rows, DIM) + r.normal(0, 2, (rows, DIM)).astype(np.float32).tobytes()


def _quantised(r, rows):
    """Two subvectors of two, and norms."""

    def codes(n, dim, width):
        body = r.integers(0, 256, n, np.uint8).tobytes()
        return body, struct.pack("<4i", dim, dim // width, width, width) + r.normal(0, 2, dim * 256).astype(
            "f4"
        ).tobytes()

    vectors, pq = codes(2 * rows, DIM, 2)
    norms, npq = codes(rows, 1, 1)
    return struct.pack("<?2qi", True, rows, DIM, 2 * rows) + vectors + pq + norms + npq


def ours(path, text: str) -> dict[str, float]:
    labels, network = weights.load(path)
    data = np.frombuffer(text.encode() or b" ", np.uint8)
    label, probability = np.empty((1, BEST), np.int32), np.empty((1, BEST), np.float32)
    predict(network, data, np.array([0]), np.array([len(text.encode())]), len(labels), label, probability)
    return {labels[k]: float(p) for k, p in zip(label[0], probability[0], strict=True) if k >= 0}


@cache
def reference(path: str):
    return fasttext.load_model(path)


def same(path, text: str, tolerance: float) -> None:
    theirs = {label: p for p, label in reference(str(path)).f.predict(text + "\n", BEST, 0.0, "strict")}
    mine = ours(path, text)
    for label in {k for found in (theirs, mine) for k, p in found.items() if p > LEAST + tolerance}:
        assert mine.get(label, 0.0) == pytest.approx(theirs.get(label, 0.0), abs=tolerance), (label, text)


KINDS = [
    {"loss": weights.SOFTMAX},
    {"loss": weights.HIERARCHICAL, "quantised": True},
    {"loss": weights.SOFTMAX, "quantised": True, "shortest": 1, "longest": 3},
    {"loss": weights.SOFTMAX, "word_ngrams": 3},
    {"loss": weights.SOFTMAX, "shortest": 0, "longest": 0},
    {"loss": weights.ONE_VS_ALL},
]
TEXTS = ["the vote", "le vote, über", "票 票票", "a", "", "  the   the ", "The VOTE o'clock well-known 投票 ë" * 5]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_models_of_every_kind_predict_what_fasttext_predicts(tmp_path, kind):
    path = a_model(tmp_path / "model.bin", **kind)
    for text in TEXTS:
        # fastText adds 1e-5 before a logarithm, and looks the sigmoid of one-against-all up in a table of 512 steps.
        same(path, text, 0.01 if kind["loss"] == weights.ONE_VS_ALL else 1e-4)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8", categories=("L", "M", "Zs")), max_size=60))
def test_the_installed_model_predicts_what_fasttext_predicts(text):
    same(locate(""), text, 1e-4)


def test_a_model_that_is_read_otherwise_than_fasttext_reads_it_is_refused(tmp_path):
    labels, network = weights.load(locate(""))
    held.hold(locate(""), labels, network)
    with pytest.raises(ConfigError, match="otherwise than fastText reads it"):
        held.hold(locate(""), labels, network._replace(shortest=network.shortest + 1))


def test_labels_of_other_models_are_reported_by_their_two_letter_codes(tmp_path):
    path = str(a_model(tmp_path / "glotlid.bin"))
    codes = {"fr", "en", "zh", "nap", "und"}
    options = LanguageOptions(model=path, min_probability=0.0, min_margin=0.0, allow=("fr", "en", "zh"))
    rows = [
        {"prompt": "", "response": text}
        for text in ("the vote of the committee", "the tea was cold", "a long walk home")
    ]
    found = LanguageFilter(options).judge(batch_of(rows)).scores["answer_language"].to_pylist()
    assert set(found) <= codes and set(found) != {"und"}
    renamed = LanguageOptions(model=path, labels={"nap_Latn": "it"}, allow=("it",))
    LanguageFilter(renamed)
    assert list(LanguageFilter.assets(options)) == ["glotlid.bin"]


def test_a_model_that_is_cut_short_anywhere_is_a_config_error(tmp_path):
    whole = a_model(tmp_path / "model.bin", quantised=True).read_bytes()
    cut = tmp_path / "cut.bin"
    for size in [*range(0, 400, 7), len(whole) // 2, len(whole) - 1]:
        cut.write_bytes(whole[:size])
        with pytest.raises(ConfigError, match="not a fastText model"):
            LanguageFilter(LanguageOptions(model=str(cut)))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_model_is_refused_or_read_and_never_stops_the_run(tmp_path_factory, data):
    path = a_model(tmp_path_factory.mktemp("m") / "model.bin", quantised=True, loss=weights.HIERARCHICAL)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(4, 700))
    content[at : at + 4] = struct.pack("<i", data.draw(st.sampled_from([-1, 0, 1, 2, 1000, 2**31 - 1])))
    path.write_bytes(content)
    try:
        found = ours(path, "the vote, über 票")
    except ConfigError:
        return
    assert len(found) <= BEST
