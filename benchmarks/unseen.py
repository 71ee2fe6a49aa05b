"""What comes out of sets that nobody tuned on: a line a set, of schemas, records, what was dropped and why.

    python benchmarks/unseen.py FOLDER [--languages en,fr,...] [--benchmarks FOLDER] [--keep OUT]

FOLDER has a folder a set, with the files as they were published. Each set is run by the command with every filter that needs no
model or list of yours, and verified; what cannot be read is told with the reason. Filters' shares are of the records read: a record is
counted for each filter that drops it, whatever comes first. With ``--keep`` the datasets stay in OUT, to look at by ``explain``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = "en,fr,de,it,ja,es,zh"


def recipe(languages: str, benchmarks: str | None) -> dict[str, Any]:
    """All that judges by itself. Licences of records that say nothing are taken as declared: this is not about them."""
    stages: list[Any] = ["structure", "repetition", {"language": {"allow": languages.split(",")}}, "narrative", "pii"]
    stages += ["mentions", {"licence": {"declared": "MIT"}}, "code", "numbers", "duplicates"]
    if benchmarks:
        stages.append({"contamination": {"benchmarks": benchmarks}})
    return {"name": "unseen", "filters": stages}


def schemas(inputs: list[dict[str, Any]]) -> str:
    """Names of the schemas in a set, the most frequent first."""
    names = Counter(i["schema"] if i["status"] == "read" else "not read" for i in inputs)
    return ", ".join(f"{name} ({count})" if len(names) > 1 else name for name, count in names.most_common())


def corpusmill(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "pipelines", *arguments], env=environment, capture_output=True, text=True, check=False
    )


def line(folder: Path, written: Path, out: Path) -> Iterator[str]:
    """The cells of one set."""
    yield folder.name
    began = time.perf_counter()
    ran = corpusmill("run", str(written), "--input", str(folder), "--output", str(out))
    seconds = time.perf_counter() - began
    manifest = out / "manifest.json"
    if not manifest.is_file():
        said = next((x for x in ran.stderr.splitlines() if x.startswith("corpusmill: ")), f"exit code {ran.returncode}")
        yield from ("", "", "", said.removeprefix("corpusmill: ")[:160])
        return
    told = json.loads(manifest.read_text("utf-8"))
    read = told["records"]["read"]
    yield schemas(told["inputs"])
    yield f"{read:,}"
    yield f"{sum(i.get('bytes', 0) for i in told['inputs']) / 1e6 / seconds:.1f}"
    yield "; ".join(_dropped(told, read)) or "nothing"
    if "Traceback" in ran.stderr or corpusmill("verify", str(out)).returncode:
        yield "**broken**"


def _dropped(told: dict[str, Any], read: int) -> Iterator[str]:
    for filter_ in told["filters"]:
        reasons = {code: n["records"] for code, n in filter_["reasons"].items()}
        if dropped := filter_["rejected"]:
            most = ", ".join(f"{code} {n:,}" for code, n in sorted(reasons.items(), key=lambda r: -r[1])[:3] if n)
            yield f"{filter_['name']} {dropped:,} ({dropped / read:.1%}: {most})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--languages", default=LANGUAGES)
    parser.add_argument("--benchmarks", help="a folder of benchmarks, for the contamination filter")
    parser.add_argument("--keep", type=Path, help="where the datasets stay")
    told = parser.parse_args()
    print("| set | schemas | records | MB/s | dropped |\n|---|---|---|---|---|", flush=True)
    with TemporaryDirectory() as scratch:
        place = told.keep or Path(scratch)
        place.mkdir(parents=True, exist_ok=True)
        written = Path(scratch) / "recipe.yaml"
        written.write_text(yaml.safe_dump(recipe(told.languages, told.benchmarks)), "utf-8")
        for folder in sorted(p for p in told.folder.iterdir() if p.is_dir()):
            print("| " + " | ".join(line(folder, written, place / folder.name)) + " |", flush=True)


if __name__ == "__main__":
    main()
