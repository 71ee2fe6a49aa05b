"""What publishing costs: links a second, and for how long the three folders may differ.

python benchmarks/publishing.py                 # 30,000 files
python benchmarks/publishing.py --files 1000000 --at /some/disk
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from pipelines import swap, versions
from pipelines.write import KINDS

ROUNDS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=30_000)
    parser.add_argument("--at", type=Path, help="a folder on the disk to measure (default: the temporary one)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.at) as home:
        links(Path(home), args.files)
        window(Path(home))


def links(home: Path, files: int) -> None:
    """A folder of empty files as second names, and found to be the same."""
    (home / "version" / "data").mkdir(parents=True)
    for i in range(files):
        (home / "version" / "data" / f"{i:08d}.parquet").touch()
    began = time.perf_counter()
    versions.copy(home / "version", "data", home / "out")
    linked = time.perf_counter()
    assert versions.same(home / "version" / "data", home / "out" / "data")
    compared = time.perf_counter()
    print(
        f"{files:,} files: {files / (linked - began):,.0f} linked a second, {files / (compared - linked):,.0f} compared"
    )


def window(home: Path) -> None:
    """From the first exchange to the manifest, as ``publish.show`` does them."""
    names = [*KINDS, *versions.PAGES, "manifest.json"]
    for side in ("new", "old"):
        for name in names:
            place = home / side / name
            place.mkdir(parents=True) if name in KINDS else place.write_bytes(bytes(50_000))
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        one_step = [swap.put(home / "new" / name, home / "old" / name) for name in names]
        took.append(time.perf_counter() - began)
    took.sort()
    print(
        f"exchanged in {took[ROUNDS // 2] * 1e3:.2f} ms (median), {took[-1] * 1e3:.2f} ms (most); in one step: {all(one_step)}"
    )


if __name__ == "__main__":
    main()
