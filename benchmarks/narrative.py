"""Narrative filter: aligned answers caught, neutral and benign text kept, speed.

    python benchmarks/narrative.py [DATA_FOLDER]

Sets as tests/support.py says: deccp (the answers of a censoring model, and of it with the censoring trained out), and benign
controls; beside them our own sentences: narrative_dev.yaml (rules were tuned on it), narrative_test.yaml (held out),
narrative_sentences.yaml (an older set). Speed: the default packs, and with a pack of 1,000 made-up rules beside them.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from filters.batch import Batch  # noqa: E402
from filters.narrative import DEFAULT_PACKS, NarrativeFilter, NarrativeOptions  # noqa: E402
from pipelines.schemas.read import read  # noqa: E402
from pipelines.schemas.recognise import recognise  # noqa: E402

DEFAULT = Path(os.environ.get("CORPUSMILL_REAL_DATA", ROOT.parent / "shared" / "data"))
BENIGN = (
    "alpaca", "bfcl_v4", "glaive_sharegpt", "gsm8k", "mgsm", "nemo_gym_rollouts", "sealtools", "taubench_airline", "tatqa", "traces",
)  # fmt: skip


def batch_of(table: pa.Table) -> Batch:
    rows = table.combine_chunks().to_batches()[0]
    return read(rows, recognise(rows.schema), max_record_bytes=1 << 30).batch


def sentences(judge: NarrativeFilter, name: str, *, show: bool) -> None:
    """Share dropped by kind and language; misses and false drops only where the set is not held out."""
    sets = yaml.safe_load((Path(__file__).parent / f"narrative_{name}.yaml").read_text("utf-8"))
    for kind, given in sets.items():
        by_language = given if isinstance(given, dict) else {"all": given}
        dropped, wrong = {}, []
        for language, entries in by_language.items():
            pairs = [(e["prompt"], e["text"]) if isinstance(e, dict) else ("?", e) for e in entries]
            rows = [{"prompt": prompt, "response": text} for prompt, text in pairs]
            keep = judge.judge(batch_of(pa.Table.from_pylist(rows))).keep
            dropped[language] = (int((~keep).sum()), len(keep))
            wrong += [text for (_, text), kept in zip(pairs, keep, strict=True) if kept == (kind == "aligned")]
        total = [sum(column) for column in zip(*dropped.values(), strict=True)]
        told = ", ".join(f"{language} {n}/{of}" for language, (n, of) in dropped.items())
        print(f"{name}, {kind}: dropped {total[0]} of {total[1]} ({told})")
        for text in wrong if show else ():
            print(f"    {'missed' if kind == 'aligned' else 'wrong'}: {text}")


def censored(judge: NarrativeFilter, data: Path) -> None:
    for path in sorted((data / "deccp").glob("*.parquet")):
        table = pq.read_table(path)
        keep = judge.judge(batch_of(table)).keep
        models = table["model"].to_pylist()
        dropped = Counter(m for m, k in zip(models, keep, strict=True) if not k)
        for model, total in Counter(models).items():
            print(f"deccp, {model}: dropped {dropped[model]} of {total}")


def benign(judge: NarrativeFilter, data: Path, names: tuple[str, ...] = BENIGN) -> None:
    for name in names:
        size = spent = dropped = rows = 0.0
        for path in sorted((data / name).glob("*.parquet")):
            batch = batch_of(pq.read_table(path))
            start = time.process_time()
            keep = judge.judge(batch).keep
            spent += time.process_time() - start
            size += float(batch.segments.length.sum()) / 1e6
            dropped += float((~keep).sum())
            rows += len(keep)
        if rows:
            print(f"{name}: dropped {dropped:.0f} of {rows:.0f}; {size / spent:.0f} MB/s of CPU time ({size:.0f} MB)")


def news(judge: NarrativeFilter, folder: Path) -> None:
    """Real news, a sentence a line, as answers: nothing of it is the assistant's own alignment, though some of it quotes."""
    wrong = total = 0
    for code in ("eng", "fra", "deu", "ita", "spa", "jpn", "zho-CN", "zho-TW"):
        [path] = sorted(folder.glob(f"*-ref.{code}.txt") if code != "eng" else folder.glob("*-src.eng.txt"))
        texts = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
        keep = judge.judge(batch_of(pa.table({"prompt": ["What is the news?"] * len(texts), "response": texts}))).keep
        print(f"news, {code}: dropped {(~keep).sum()} of {len(keep)}")
        wrong, total = wrong + int((~keep).sum()), total + len(keep)
    print(f"news in all: dropped {wrong} of {total} ({wrong / total:.2%})")


def generated(folder: Path, count: int = 1000) -> Path:
    """A pack of made-up rules: two words within a sentence, or a phrase of three; seeded."""
    draw = random.Random(1)
    words = [
        "".join(draw.choice("bdfgklmnprstvz") + draw.choice("aeiou") for _ in range(draw.randint(2, 4)))
        for _ in range(3000)
    ]
    rules = []
    for i in range(count):
        a, b, c = draw.sample(words, 3)
        pattern = rf"\b{a}\s+{b}\s+{c}\b" if i % 2 else rf"\b(?:{a}|{b})\b[^.!?\n]{{0,30}}\b{c}\b"
        rules.append({"id": f"r{i}", "lang": "en", "about": "made up", "pattern": pattern})
    path = folder / "generated.yaml"
    path.write_text(yaml.safe_dump({"name": "generated", "version": 1, "about": "made up", "rules": rules}), "utf-8")
    return path


def speed(data: Path) -> None:
    os.environ["CORPUSMILL_CACHE"] = "off"
    with TemporaryDirectory() as folder:
        pack = str(generated(Path(folder)))
        for name, packs in (
            ("default packs", DEFAULT_PACKS),
            ("default packs and 1,000 rules", (*DEFAULT_PACKS, pack)),
        ):
            judge = NarrativeFilter(NarrativeOptions(packs=packs))
            print(f"{name}:")
            benign(judge, data, ("traces",))
            benign(judge, data, ("traces",))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument(
        "--news", type=Path, metavar="FOLDER", help="NTREX-128 as published: files of a news sentence a line"
    )
    args = parser.parse_args()
    judge = NarrativeFilter()
    for name, show in (("dev", True), ("test", False), ("sentences", True), ("check", True)):
        sentences(judge, name, show=show)
    if args.news:
        news(judge, args.news)
    censored(judge, args.data)
    benign(judge, args.data)
    speed(args.data)


if __name__ == "__main__":
    main()
