"""The PII filter beside Presidio: equality, speed, precision and recall, false positives.

    python benchmarks/pii.py [DATA_FOLDER] [--part quality|speed|equality] [--texts N] [--sets NAME...]

Presidio runs with its own default registry ("vanilla") where quality is compared, and with the same recognizers as the filter
where speed and equality are; phone numbers with phonenumbers' own matcher, not with the remembering one that the filter gives it; for
speed and quality with spaCy's blank tokenizer, for equality with the filter's, since context words depend on it.
Its speed is taken on a seeded sample of texts. `--texts 0` is every distinct text: an hour for equality.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import time
from collections import defaultdict
from pathlib import Path

import phonenumbers
import pyarrow.parquet as pq
import spacy
from presidio_analyzer.nlp_engine import SpacyNlpEngine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from filters.pii import PiiFilter, PiiOptions, engine
from filters.pii import recognizers as own
from filters.pii.finder import Finder
from filters.pii.options import DEFAULT_REGIONS, wanted
from tests.support import REAL, batch_of

PRESIDIO_REGIONS = ("US", "GB", "DE", "FR", "IL", "IN", "CA", "BR")
QUALITY = ("PHONE_NUMBER", "CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "IP_ADDRESS")
Spans = dict[str, list[tuple[int, int]]]


@contextlib.contextmanager
def untouched():
    """Presidio's phone recognizer as it is shipped."""
    from presidio_analyzer.predefined_recognizers.generic import phone_recognizer

    mine, phone_recognizer.phonenumbers = phone_recognizer.phonenumbers, phonenumbers
    try:
        yield
    finally:
        phone_recognizer.phonenumbers = mine


def blank() -> SpacyNlpEngine:
    """Presidio's own NLP engine around a spaCy pipeline that only makes tokens."""
    nlp = SpacyNlpEngine(models=[])
    nlp.nlp = {"en": spacy.blank("en")}
    nlp.nlp["en"].max_length = 1 << 30
    return nlp


def vanilla():
    recognizers = engine.presidio(["en"], None, PRESIDIO_REGIONS)
    return engine.analyzer(recognizers, ["en"], blank())


def batches(data: Path, name: str):
    for path in sorted((data / name).glob("*.parquet")):
        yield batch_of(pq.read_table(path))


def quality(data: Path) -> None:
    """Overlap with the labelled spans, an entity at a time; then records with a finding among sets that hold none."""
    rows = pq.read_table(sorted((data / "pii_synth").glob("*.parquet"))[0]).to_pylist()
    ours = PiiFilter(PiiOptions(action="annotate"))
    judged = ours.judge(batch_of([{"text": r["text"]} for r in rows]))
    mine: list[Spans] = [defaultdict(list) for _ in rows]
    for record, start, end, rule in zip(
        judged.evidence.record, judged.evidence.start, judged.evidence.end, judged.evidence.rule, strict=True
    ):
        raw = rows[record]["text"].encode()
        mine[record][rule.split(":")[0]].append((len(raw[:start].decode()), len(raw[:end].decode())))
    plain = vanilla()
    theirs: list[Spans] = [defaultdict(list) for _ in rows]
    with untouched():
        for row, spans in zip(rows, theirs, strict=True):
            for result in plain.analyze(row["text"], "en"):
                spans[result.entity_type].append((result.start, result.end))
    print(f"{'entity':16} {'n':>4}   ours P / R / F2        Presidio P / R / F2")
    for entity in QUALITY:
        gold = [[(s["start"], s["end"]) for s in r["spans"] if s["entity_type"] == entity] for r in rows]
        cells = [_measure(gold, [m[entity] for m in found]) for found in (mine, theirs)]
        print(
            f"{entity:16} {sum(map(len, gold)):4}   "
            + "   ".join("{:.3f} / {:.3f} / {:.3f}".format(*cell) for cell in cells)
        )
    print("\nrecords with a finding of the default entities, per 1,000")
    for name in ("tatqa", "gsm8k", "mgsm"):
        _false_positives(data, name, ours, plain)


def _measure(gold: list[list[tuple[int, int]]], found: list[list[tuple[int, int]]]) -> tuple[float, float, float]:
    hit = sum(any(s < t and b < e for b, t in g) for g, f in zip(gold, found, strict=True) for s, e in f)
    seen = sum(any(s < t and b < e for s, e in f) for g, f in zip(gold, found, strict=True) for b, t in g)
    precision, recall = hit / max(1, sum(map(len, found))), seen / max(1, sum(map(len, gold)))
    return precision, recall, 5 * precision * recall / max(1e-9, 4 * precision + recall)


def _false_positives(data: Path, name: str, ours: PiiFilter, plain) -> None:
    records = mine = theirs = same = 0
    default = set(wanted(PiiOptions()) or ())
    for batch in batches(data, name):
        records += len(batch)
        mine += int((ours.judge(batch).scores["findings"] > 0).sum())
        hit, narrow = set(), set()
        for i in batch.segments.where():
            with untouched():
                kinds = {r.entity_type for r in plain.analyze(batch.segments.text(i), "en")}
            if kinds:
                hit.add(int(batch.segments.record[i]))
            if kinds & default:
                narrow.add(int(batch.segments.record[i]))
        theirs, same = theirs + len(hit), same + len(narrow)
    per = 1000 / records
    print(
        f"{name:8} ours {mine * per:6.2f}   Presidio, same entities {same * per:6.2f}   all its entities {theirs * per:6.2f}"
    )


def speed(data: Path, texts: int) -> None:
    """MB/s of text, one core; the ratio is to AnalyzerEngine with the same recognizers and a blank tokenizer, in the same run."""
    options = PiiOptions(languages=("en",))
    ours = PiiFilter(options)
    ours.judge(batch_of([{"prompt": "Call 0302 123456.", "response": "x"}]))
    recognizers = engine.presidio(["en"], wanted(options), DEFAULT_REGIONS)
    recognizers += own.ours("en", wanted(options) or set())
    reference = engine.analyzer(recognizers, ["en"], blank())
    everything = vanilla()
    for name in ("traces", "tatqa", "pii_synth", "gsm8k"):
        size = seconds = 0.0
        pool: list[str] = []
        for batch in batches(data, name):
            start = time.perf_counter()
            ours.judge(batch)
            seconds += time.perf_counter() - start
            size += float(batch.segments.length.sum())
            pool += [batch.segments.text(i) for i in batch.segments.where()]
        sample = random.Random(7).sample(pool, min(texts, len(pool)))
        rates = [_rate(e, sample) for e in (reference, everything)]
        mine = size / seconds / 1e6
        print(
            f"{name:10} ours {mine:7.2f} MB/s   AnalyzerEngine, same recognizers {rates[0]:.3f} ({mine / rates[0]:.0f}x), "
            f"default registry {rates[1]:.3f} ({mine / rates[1]:.0f}x)"
        )


def _rate(reference, sample: list[str]) -> float:
    start = time.perf_counter()
    with untouched():
        for text in sample:
            reference.analyze(text, "en")
    return sum(len(t.encode()) for t in sample) / (time.perf_counter() - start) / 1e6


def equality(data: Path, texts: int, sets: list[str]) -> int:
    """Findings that differ from AnalyzerEngine's: all recognizers of the default registry, in seven languages."""
    languages = ["en", "fr", "de", "it", "es", "ja", "zh"]
    recognizers = engine.presidio(languages, None, DEFAULT_REGIONS)
    finder = Finder(recognizers, languages)
    nlp = engine.TokenEngine(languages)
    whole = {n: engine.analyzer([r for r in recognizers if r.supported_language == n], [n], nlp) for n in languages}
    different = 0
    for folder in sets or sorted(p.name for p in data.iterdir() if p.is_dir()):
        pool = sorted({b.segments.text(i) for b in batches(data, folder) for i in b.segments.where()})
        sample = random.Random(7).sample(pool, min(texts, len(pool))) if texts else pool
        findings = bad = size = 0
        for text in sample:
            size += len(text)
            for language in languages:
                with untouched():
                    expected = _facts(whole[language].analyze(text, language))
                found = _facts(finder.analyze(text.encode(), language))
                findings, bad = findings + len(expected), bad + len(set(expected) ^ set(found))
                if set(expected) ^ set(found):
                    print(f"  {language}: {set(expected) ^ set(found)} in a text of {len(text)} characters")
        different += bad
        print(
            f"{folder:18} {len(sample):6} of {len(pool):6} distinct texts, {size / 1e6:.1f} M characters, x 7 languages: "
            f"{findings:7} findings, {bad} differ",
            flush=True,
        )
    return different


def _facts(results) -> list[tuple[str, int, int, float]]:
    return [(r.entity_type, r.start, r.end, r.score) for r in results]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=REAL)
    parser.add_argument("--part", choices=("quality", "speed", "equality"))
    parser.add_argument("--texts", type=int, default=100, help="texts a set that Presidio itself runs over")
    parser.add_argument("--sets", nargs="*", default=[], help="folders that equality is tested on; all unless told")
    arguments = parser.parse_args()
    if arguments.part in (None, "quality"):
        quality(arguments.data)
    if arguments.part in (None, "speed"):
        speed(arguments.data, arguments.texts)
    if arguments.part in (None, "equality"):
        sys.exit(1 if equality(arguments.data, arguments.texts, arguments.sets) else 0)


if __name__ == "__main__":
    main()
