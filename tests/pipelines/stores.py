"""A real S3 server (moto's) on this machine, behind a proxy that does to requests what networks and busy stores do."""

from __future__ import annotations

import http.client
import itertools
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from botocore.retries.standard import ExponentialBackoff
from moto.server import ThreadedMotoServer

from pipelines.stores import s3

KEY_ID, SECRET, TOKEN = "AKIAQQTESTKEYQQ", "qq-the-secret-of-the-test-qq", "qq-the-token-of-the-test-qq"
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
DENIED = b"<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"


@dataclass
class Fault:
    """What happens to the first ``times`` requests that match ``METHOD path?query``. lost: the answer. do: called before the request
    goes on."""

    match: str
    status: int = 0
    cut: bool = False
    lost: bool = False
    stall: float = 0.0
    without: str = ""
    do: Callable[[], object] | None = None
    times: int = 1 << 30
    met: int = 0


@dataclass
class Proxy:
    """Every request is written down; faults are looked up in order."""

    to: int
    faults: list[Fault] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    turn: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> int:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.server_address[1]

    def fault(self, line: str) -> Fault | None:
        with self.turn:
            self.seen.append(line)
            for fault in self.faults:
                if fault.met < fault.times and re.search(fault.match, line):
                    fault.met += 1
                    return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return

    def _any(self) -> None:
        how = " copied" if "x-amz-copy-source" in self.headers else ""
        fault = self.proxy.fault(f"{self.command} {self.path}{how}") or Fault("")
        size = int(self.headers.get("Content-Length") or 0)
        if fault.cut and size:
            self.rfile.read(size // 2)
            self.close_connection = True
            self.connection.close()
            return
        body = self.rfile.read(size)
        if fault.do:
            fault.do()
        time.sleep(fault.stall)
        if fault.status:
            self._answer(fault.status, [], SLOW_DOWN if fault.status == 503 else DENIED)
            return
        there = http.client.HTTPConnection("127.0.0.1", self.proxy.to)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("expect", "connection", fault.without)}
        there.request(self.command, self.path, body, headers)
        answer = there.getresponse()
        data = answer.read()
        if fault.lost:
            self.close_connection = True
            self.connection.close()
            return
        self._answer(answer.status, answer.getheaders(), data, cut=fault.cut)
        there.close()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any

    def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes, cut: bool = False) -> None:
        self.send_response_only(status)
        length = {k.lower(): v for k, v in headers}.get("content-length", str(len(data)))
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", length if self.command == "HEAD" else str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if cut else data)
        if cut:
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()


class Store:
    """One bucket. faults: of the proxy, for the length of a test."""

    def __init__(self, proxy: Proxy, bucket: str) -> None:
        self.proxy, self.bucket, self.url = proxy, bucket, f"s3://{bucket}"
        s3.client().create_bucket(Bucket=bucket)

    def put(self, key: str, data: bytes | Path, **more: str) -> None:
        body = data.read_bytes() if isinstance(data, Path) else data
        s3.client().put_object(Bucket=self.bucket, Key=key, Body=body, **more)

    def put_folder(self, folder: Path, prefix: str) -> None:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path)

    def get(self, key: str) -> bytes:
        return s3.client().get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def listed(self, prefix: str = "") -> list[str]:
        return [e["Key"] for e in s3.listed(self.bucket, prefix)]

    def fault(self, match: str, **told) -> Fault:
        self.proxy.faults.append(Fault(match, **told))
        return self.proxy.faults[-1]


def behind(store: Store, key: str, data: bytes) -> None:
    """Written by somebody else: past the proxy."""
    _other(store.proxy.to).put_object(Bucket=store.bucket, Key=key, Body=data)


@cache
def _other(port: int):
    return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")


_numbers = itertools.count()


@pytest.fixture(scope="module", name="proxy")
def the_proxy() -> Iterator[Proxy]:
    """Moto behind the proxy, and the environment that leads to it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    proxy = Proxy(server.get_host_and_port()[1])
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith("AWS_")]:
            patch.delenv(name)
        told = {"ACCESS_KEY_ID": KEY_ID, "SECRET_ACCESS_KEY": SECRET, "SESSION_TOKEN": TOKEN, "DEFAULT_REGION": "us-east-1",
                "EC2_METADATA_DISABLED": "true", "CONFIG_FILE": os.devnull, "SHARED_CREDENTIALS_FILE": os.devnull,
                "ENDPOINT_URL_S3": f"http://127.0.0.1:{proxy.start()}"}  # fmt: skip
        for name, value in told.items():
            patch.setenv(f"AWS_{name}", value)
        patch.setattr(s3, "ATTEMPTS", 3)
        patch.setattr(s3, "READ", 3.0)
        # The pauses between tries are botocore's to test.
        patch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.01)
        s3.client.cache_clear()
        _other(proxy.to)
        yield proxy
        s3.client.cache_clear()
    server.stop()


@pytest.fixture(name="store")
def a_store(proxy: Proxy) -> Iterator[Store]:
    proxy.faults.clear()
    proxy.seen.clear()
    yield Store(proxy, f"bucket-{next(_numbers)}")
    proxy.faults.clear()
