"""Datasets on the Hugging Face Hub are read at one commit. The server here speaks the four endpoints that are used, and no more."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from pipelines import recipe, run, shards
from pipelines.errors import USAGE, StoreError, UsageError
from tests.pipelines.conftest import contents, write_shard

COMMIT = "c0ffee" + "0" * 34
TOKEN = "hf_qqTheTokenOfTheTestqq"


class Hub(BaseHTTPRequestHandler):
    files: dict[str, bytes] = {}
    status = 0
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if self.status:
            self._send(self.status, b"{}")
        elif path in ("/api/datasets/me/chat", f"/api/datasets/me/chat/revision/{COMMIT}"):
            self._json({"_id": "1", "id": "me/chat", "sha": COMMIT, "tags": [], "siblings": [], "private": False})
        elif path.startswith(tree := f"/api/datasets/me/chat/tree/{COMMIT}"):
            folder = path[len(tree) :].strip("/")
            there = [n for n in self.files if not folder or n.startswith(f"{folder}/")]
            missing = {"X-Error-Code": "EntryNotFound"}
            self._json([self._told(n) for n in there]) if there else self._send(404, b"{}", missing)
        elif path.startswith(home := f"/datasets/me/chat/resolve/{COMMIT}/"):
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            self._send(206, self.files[path.removeprefix(home)][int(first) : int(last) + 1])
        else:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        names = (
            json.loads(asked)["paths"] if asked.startswith("{") else [unquote(asked.split("paths=")[1].split("&")[0])]
        )
        self._json([self._told(n) for n in names if n in self.files])

    def _told(self, name: str) -> dict:
        data = self.files[name]
        entry = {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
        lfs = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
        return {**entry, **({"lfs": lfs} if name.endswith(".parquet") else {})}

    def _json(self, told: object) -> None:
        self._send(200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder, and the same files on the Hub as me/chat."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    write_shard(folder / "s0.parquet", 0)
    write_shard(folder / "deep" / "s1.parquet", 1)
    line = b'{"prompt": "Why does bread rise?", "response": "Yeast gives off gas, and the dough holds it in."}\n'
    (folder / "j.jsonl").write_bytes(line * 30)
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    monkeypatch.setattr(Hub, "files", {f"data/{name}": data for name, data in found.items()})
    return folder


def test_the_same_shards_give_the_same_bytes_from_the_hub_and_the_token_is_nowhere(folder, tmp_path):
    done = []
    for number, source in enumerate((str(folder), "hf://datasets/me/chat/data")):
        told = {"name": "light", "input": {"path": source}, "output": {"path": str(tmp_path / f"out{number}")},
                "filters": [{"language": {"allow": ["en", "de"]}}]}  # fmt: skip
        done.append(run.run(recipe.from_document(told)))
    assert contents(done[0].out) == contents(done[1].out)
    for path in done[1].out.rglob("*"):
        assert path.is_dir() or TOKEN.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("pattern", ["", "/*.parquet", "/**/*.parquet", "/s0.parquet", "/deep"])
def test_folders_globs_and_files_name_the_same_shards_as_on_a_disk(folder, pattern):
    here, there = shards.find(f"{folder}{pattern}"), shards.find(f"hf://datasets/me/chat/data{pattern}")
    assert [(s.name, s.kind, s.size) for s in there] == [(s.name, s.kind, s.size) for s in here]
    assert all(f"@{COMMIT}/" in s.path for s in there)


def test_what_is_not_there_or_closed_is_one_line(folder, monkeypatch):
    with pytest.raises(StoreError, match="no such dataset or revision, or it needs a token") as caught:
        shards.find("hf://datasets/me/other")
    assert caught.value.exit_code == USAGE
    with pytest.raises(UsageError, match="write it as hf://datasets/"):
        shards.find("hf://models/me/chat")
    monkeypatch.setattr(Hub, "status", 403)
    with pytest.raises(StoreError, match=r"access denied \(403\): check the token") as caught:
        shards.find("hf://datasets/me/chat")
    assert "127.0.0.1" not in str(caught.value)
