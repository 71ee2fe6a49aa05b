"""What object stores cost: listing a million objects, and shards from S3 beside shards from a folder.

python benchmarks/stores.py list 1000000        # a server here that makes up the pages of a listing
python benchmarks/stores.py read FOLDER         # its Parquet files, from the folder and from moto's server
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

LINE = ("<Contents><Key>in/{0:03d}/shard-{1:09d}.parquet</Key><Size>1048576</Size><ETag>&quot;{1:032x}&quot;</ETag>"
        "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>")  # fmt: skip


class Listing(BaseHTTPRequestHandler):
    """A bucket of so many objects that nobody put there."""

    objects = 0
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        if "list-type" not in asked:
            self._send(404, "<Error><Code>NoSuchKey</Code></Error>")
            return
        most = int(asked.get("max-keys", ["1000"])[0])
        start = int(asked.get("continuation-token", ["0"])[0])
        stop = min(self.objects, start + most)
        rows = "".join(LINE.format(i // 10_000, i) for i in range(start, stop))
        more = f"<NextContinuationToken>{stop}</NextContinuationToken>" if stop < self.objects else ""
        truncated = str(bool(more)).lower()
        self._send(200, f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{more}{rows}</ListBucketResult>")

    def _send(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


def listing(objects: int) -> None:
    from pipelines import shards

    Listing.objects = objects
    server = ThreadingHTTPServer(("127.0.0.1", 0), Listing)
    # A process of its own, which ends with this one: its memory and its time are not what is measured.
    child = multiprocessing.get_context("fork").Process(target=server.serve_forever, daemon=True)
    child.start()
    os.environ["AWS_ENDPOINT_URL_S3"] = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        before, began = _peak(), time.monotonic()
        found = shards.find("s3://bucket/in")
        took = time.monotonic() - began
        print(
            f"{len(found):,} shards listed in {took:.1f} s ({took / len(found) * 1e6:.0f} µs each), {_peak() - before:,} MB more"
        )
    finally:
        child.terminate()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def reading(folder: Path) -> None:
    import logging

    from moto.server import ThreadedMotoServer

    from pipelines import shards
    from pipelines.stores import s3

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    threading.Thread(target=server.start, daemon=True).start()
    time.sleep(1)
    os.environ["AWS_ENDPOINT_URL_S3"] = "http://{}:{}".format(*server.get_host_and_port())
    s3.client().create_bucket(Bucket="bucket")
    for path in sorted(folder.glob("*.parquet")):
        s3.client().upload_file(str(path), "bucket", f"in/{path.name}")
    for where in (str(folder), "s3://bucket/in"):
        found = shards.find(where)
        size = sum(s.size for s in found) / 1e6
        for what, do in (("hashed", _hashed), ("read", _read)):
            print(f"{where}: {size / _timed(do, found):,.0f} MB/s {what} ({size:.1f} MB as they are stored)")


def _hashed(found: list) -> None:
    from pipelines import shards

    for shard in found:
        shards.sha256_of(shard.path)


def _read(found: list) -> None:
    from pipelines import formats

    for shard in found:
        reader = formats.of(shard)
        schema = reader.schema(shard.path)
        for part in reader.parts(shard.path, 256 << 20):
            for _ in reader.rows(shard.path, part, schema, 16 << 20):
                pass


def _timed(do: Callable[[list], None], found: list) -> float:
    times = []
    for _ in range(3):
        began = time.monotonic()
        do(found)
        times.append(time.monotonic() - began)
    return min(times)


if __name__ == "__main__":
    os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}
    if sys.argv[1] == "list":
        listing(int(sys.argv[2]))
    else:
        reading(Path(sys.argv[2]))
