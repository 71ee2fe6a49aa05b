"""What the structure filter says about the real sets, how fast, and which mutations of clean records it catches.

    python benchmarks/structure.py [DATA_FOLDER] [--mutants N]

Rates are of one core, over the bytes of text that the filter reads. The second figure has the tool schemas in its cache.
"""

from __future__ import annotations

import argparse
import collections
import gc
import json
import os
import random
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import mutations  # noqa: E402
from filters.batch import Batch  # noqa: E402
from filters.structure import StructureFilter  # noqa: E402
from pipelines.schemas.read import read  # noqa: E402
from pipelines.schemas.recognise import recognise  # noqa: E402

SETS = (
    "bfcl_v4", "sealtools", "nemo_gym_rollouts", "taubench_airline", "glaive_sharegpt", "alpaca", "traces", "gsm8k", "mgsm",
    "deccp", "tatqa",
)  # fmt: skip


def lay_out(table) -> Batch:
    batch = table.combine_chunks().to_batches()[0]
    return read(batch, recognise(batch.schema), max_record_bytes=1 << 30).batch


def real_sets(folder: Path) -> None:
    StructureFilter().judge(lay_out(mutations.table([{"messages": [{"role": "user", "content": "warm up"}]}])))
    print("set                 records  rejected     %   MB/s cold / cached  reasons")
    for name in SETS:
        batches = [lay_out(pq.read_table(path)) for path in sorted((folder / name).glob("*.parquet"))]
        counts = collections.Counter(code for batch in batches for code in reasons_of(StructureFilter(), batch))
        records, size = sum(map(len, batches)), sum(b.segments.length.sum() for b in batches) / 1e6
        cold, warm = (min(times) for times in zip(*(timed(batches) for _ in range(3)), strict=True))
        if records:
            rejected = sum(counts.values())
            reasons = ", ".join(f"{c} {n}" for c, n in counts.most_common())
            print(
                f"{name:<20}{records:>7.0f}{rejected:>10}{100 * rejected / records:>7.2f}"
                f"{size / cold:>9.0f} /{size / warm:>6.0f}  {reasons}"
            )


def reasons_of(structure: StructureFilter, batch: Batch) -> list[str]:
    codes = list(structure.reasons)
    return [codes[r] for r in structure.judge(batch).reason.tolist() if r >= 0]


def timed(batches: list[Batch]) -> tuple[float, float]:
    """Seconds without and with the tool schemas in the cache."""
    structure, seconds = StructureFilter(), []
    for _ in range(2):
        gc.collect()
        start = time.perf_counter()
        for batch in batches:
            structure.judge(batch)
        seconds.append(time.perf_counter() - start)
    return seconds[0], seconds[1]


def clean_records(folder: Path, per_set: int) -> list[mutations.Record]:
    """Records of the real sets that the filter keeps, as OpenAI messages."""
    out: list[mutations.Record] = []
    for name in ("bfcl_v4", "sealtools", "nemo_gym_rollouts", "glaive_sharegpt", "alpaca", "traces", "gsm8k"):
        found: list[mutations.Record] = []
        for path in sorted((folder / name).glob("*.parquet"))[:1]:
            table = pq.read_table(path)
            kept = StructureFilter().judge(lay_out(table)).keep
            found += [_openai(row) for row, keep in zip(table.to_pylist(), kept, strict=True) if keep]
        random.Random(0).shuffle(found)
        found.sort(key=lambda r: len(str(r)) > 60_000)
        out += found[:per_set]
    return out


def _openai(row: dict) -> mutations.Record:
    if "conversations" in row:
        return {"messages": _sharegpt(row["conversations"]), "tools": row.get("tools") or None}
    if "messages" not in row:
        prompt = "\n".join(filter(None, (row.get("prompt") or row.get("instruction"), row.get("input"))))
        answer = row.get("response") or row.get("output")
        return {"messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]}
    messages = [{**m, "tool_calls": m.get("tool_calls") or None} for m in row["messages"]]
    return {"messages": messages, "tools": row.get("tools"), "finish_reason": row.get("finish_reason")}


def _sharegpt(turns: list[dict]) -> list[mutations.Record]:
    roles = {"human": "user", "gpt": "assistant", "observation": "tool", "function_call": "assistant"}
    messages: list[mutations.Record] = []
    for number, turn in enumerate(turns):
        message = {"role": roles.get(turn["from"], turn["from"]), "content": turn["value"]}
        if turn["from"] == "function_call":
            call = json.loads(turn["value"])
            arguments = json.dumps(call["arguments"], ensure_ascii=False)
            function = {"name": call["name"], "arguments": arguments}
            message = {**message, "content": None, "tool_calls": [{"id": f"call_{number}", "function": function}]}
        if turn["from"] == "observation":
            message["tool_call_id"] = f"call_{number - 1}"
        messages.append(message)
    return messages


def run_mutants(
    records: list[mutations.Record],
) -> tuple[dict[str, list[int]], list[tuple[str, str, mutations.Record]]]:
    """operator -> [mutants, caught with the right reason, caught at all]; and what was missed."""
    structure = StructureFilter(StructureFilter.Options(max_tools=512))
    codes, rng = list(structure.reasons), random.Random(1)
    made = [m for record in records for m in mutations.mutants(record, rng)]
    tally = {name: [0, 0, 0] for name in mutations.OPERATORS}
    missed = []
    for low in range(0, len(made), 2000):
        part = made[low : low + 2000]
        judged = structure.judge(lay_out(mutations.table([r for _, _, r in part])))
        for (name, expected, record), reason in zip(part, judged.reason.tolist(), strict=True):
            code = codes[reason] if reason >= 0 else "kept"
            right = code in expected
            tally[name] = [tally[name][0] + 1, tally[name][1] + right, tally[name][2] + (reason >= 0)]
            if not right:
                missed.append((name, code, record))
    return tally, missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("CORPUSMILL_REAL_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(default))
    parser.add_argument("--mutants", type=int, default=60, metavar="N", help="clean records of each set to mutate")
    arguments = parser.parse_args()
    real_sets(arguments.folder)
    records = clean_records(arguments.folder, arguments.mutants)
    tally, missed = run_mutants(records)
    print(
        f"\n{len(tally)} operators on {len(records)} clean records\noperator                 mutants  right reason  caught"
    )
    for name, (n, right, caught) in tally.items():
        print(f"{name:<24}{n:>8}{right:>14}{caught:>8}")
    total, right, caught = (sum(v[i] for v in tally.values()) for i in range(3))
    print(f"{'all':<24}{total:>8}{right:>14}{caught:>8}   {100 * right / max(total, 1):.2f} % with the right reason")
    for (name, code), n in collections.Counter((n, c) for n, c, _ in missed).most_common():
        print(f"  {name} -> {code}: {n}")


if __name__ == "__main__":
    main()
