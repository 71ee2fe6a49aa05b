"""What a scheduler relies on: ends when told to, goes on, says how it went, and does not try the hopeless every night."""

from __future__ import annotations

import json
import re
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pipelines.cli.scheduling import seconds
from pipelines.limits import LOOK, Limits, Stopped, stoppable, within
from tests.pipelines.conftest import contents, manifest, write_shard


@pytest.fixture
def many(shards):
    """Enough work for a run to be caught in the middle."""
    for s in range(4, 10):
        write_shard(shards / f"s{s}.parquet", s, rows=4000)
    return shards


@pytest.fixture
def torn(shards):
    """One shard whose footer is fine and whose pages are not."""
    path = shards / "s2.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:60] + bytes(400) + whole[460:])
    return shards


@pytest.fixture
def server():
    """A real HTTP server that remembers what it got; a path with ``broken`` in it answers 500."""
    got: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            got.append((self.command, self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if "broken" in self.path else 200)
            self.end_headers()

        do_PUT = do_POST = _take

        def log_message(self, *_: object) -> None:
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    http.got = got
    http.url = f"http://127.0.0.1:{http.server_port}"
    yield http
    http.shutdown()
    http.server_close()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_ends_the_run_within_ten_seconds_and_the_same_command_goes_on(corpusmill, many, tmp_path, workers):
    out = tmp_path / "out"
    process = corpusmill.popen("run", corpusmill.recipe, "--input", many, "--output", out, "--workers", workers)
    for _ in range(600):
        time.sleep(0.05)
        if list((out / ".corpusmill" / "units").glob("*/*/receipt.json")):
            break
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert process.returncode == 3, err
    assert "corpusmill: stopped: SIGTERM; what is done stays done" in err
    assert "Traceback" not in err
    assert not (out / "manifest.json").exists()
    corpusmill.run(many, out, "--workers", "2")
    corpusmill.run(many, tmp_path / "undisturbed", "--workers", "2")
    assert contents(out) == contents(tmp_path / "undisturbed")


def test_a_time_limit_ends_the_run(corpusmill, many, tmp_path):
    said = corpusmill.run(many, tmp_path / "out", "--max-runtime", "0.01s", code=3)
    assert "it ran for longer than 0.01 s" in said
    corpusmill.run(many, tmp_path / "out", "--max-runtime", "1h")
    assert manifest(tmp_path / "out")["complete"]


@pytest.mark.parametrize(("text", "value"), [("90", 90), ("1.5m", 90), ("2h", 7200), ("1d", 86400), ("5s", 5)])
def test_times(text, value):
    assert seconds(text) == value


def test_a_wrong_time_is_one_line(corpusmill, shards, tmp_path):
    assert "is no time" in corpusmill.run(shards, tmp_path / "out", "--max-runtime", "soon", code=2)


def test_too_many_failures_end_the_run(tmp_path):
    """Two may fail; the third that workers tell of is one too many."""
    limits = Limits(max_failures=2)
    (tmp_path / "1.failed").write_text("{}\n", "utf-8")
    with stoppable(), within(limits, time.time(), tmp_path):
        (tmp_path / "2.failed").write_text("{}\n", "utf-8")
        time.sleep(3 * LOOK)
    with pytest.raises(Stopped, match="more than 2 units failed"), stoppable(), within(limits, time.time(), tmp_path):
        (tmp_path / "2.failed").write_text("{}\n{}\n", "utf-8")
        time.sleep(20 * LOOK)


def test_a_shard_that_fails_twice_is_set_aside_until_somebody_says_retry(corpusmill, torn, tmp_path):
    out = tmp_path / "out"
    for _ in range(2):
        assert '"to_do": ' in (said := corpusmill.run(torn, out, code=3))
        assert "s2.parquet is not in the dataset" in said
        assert "set aside" not in said
    said = corpusmill.run(torn, out, code=3)
    assert '"to_do": 0' in said
    assert "set aside, since it failed 2 times" in said
    assert f"corpusmill retry {out}" in said
    assert "nothing is set aside" in corpusmill("retry", out, "s1.parquet")
    assert "tries again: s2.parquet" in corpusmill("retry", out)
    assert '"to_do": 1' in corpusmill.run(torn, out, code=3)
    write_shard(torn / "s2.parquet", 2)
    corpusmill.run(torn, out)
    assert manifest(out)["complete"]
    assert json.loads((out / ".corpusmill" / "failures.json").read_text("utf-8")) == {}


def test_what_is_not_the_units_fault_sets_nothing_aside(corpusmill, shards, tmp_path):
    """A model that is not there fails every unit, and says nothing about any."""
    out = tmp_path / "out"
    corpusmill.run(shards, out)
    model = tmp_path / "model.bin"
    model.write_bytes(b"no model")
    for _ in range(3):
        corpusmill.run(shards, out, "--set", f"language.model={model}", "--workers", "1", code=3)
    assert not (out / ".corpusmill" / "failures.json").exists()


def test_nothing_to_do_has_an_exit_code_of_its_own_when_asked(corpusmill, shards, tmp_path):
    out = tmp_path / "out"
    asked = ("--exit-code-if-unchanged", "99", "--on-failure", "false")
    corpusmill.run(shards, out, *asked)
    assert "nothing to do" in (said := corpusmill.run(shards, out, *asked, code=99))
    assert "failure command" not in said
    write_shard(shards / "s4.parquet", 4)
    corpusmill.run(shards, out, *asked)


def test_the_log_has_every_event_of_a_run_under_its_id(corpusmill, shards, tmp_path):
    log = tmp_path / "log.jsonl"
    for _ in range(2):
        corpusmill.run(shards, tmp_path / "out", "--log", log)
    told = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    ids = list(dict.fromkeys(t["run"] for t in told))
    assert len(ids) == 2
    ends = [t for t in told if t["event"] == "end"]
    assert [(t["run"], t["exit_code"], t["changed"], t["kept"]) for t in ends] == [
        (ids[0], 0, True, 136),
        (ids[1], 0, False, 136),
    ]
    assert "cannot be written" in corpusmill.run(shards, tmp_path / "out", "--log", tmp_path / "no" / "log", code=2)


SAMPLE = re.compile(r'corpusmill_[a-z_]+\{recipe="light"(?:,[a-z]+="[^"]*")*\} [0-9.e+]+')


def test_metrics_as_a_textfile(corpusmill, torn, tmp_path):
    path = tmp_path / "corpusmill.prom"
    corpusmill.run(torn, tmp_path / "out", "--metrics", path, code=3)
    lines = path.read_text("utf-8").splitlines()
    assert all(line.startswith(("# HELP ", "# TYPE ")) or SAMPLE.fullmatch(line) for line in lines)
    assert 'corpusmill_records{recipe="light",state="kept"} 102' in lines
    assert 'corpusmill_rejected_records{recipe="light",filter="language",reason="language_not_allowed"} 18' in lines
    assert 'corpusmill_run_exit_code{recipe="light"} 3' in lines
    assert 'corpusmill_failed_shards{recipe="light"} 1' in lines
    assert path.stat().st_mode & 0o044, "node_exporter is another user"
    assert "its folder is not there" in corpusmill.run(torn, tmp_path / "out", "--metrics", "no/where.prom", code=2)


def test_metrics_pushed_and_a_gateway_that_fails_costs_a_line(corpusmill, shards, tmp_path, server):
    out = tmp_path / "out"
    corpusmill.run(shards, out, "--metrics", f"{server.url}/metrics/job/corpusmill")
    [(method, path, body)] = server.got
    assert (method, path) == ("PUT", "/metrics/job/corpusmill")
    assert b'corpusmill_records{recipe="light",state="read"} 160\n' in body
    for url in (f"{server.url}/broken", "http://127.0.0.1:9/"):
        assert "metrics were not pushed" in corpusmill.run(shards, out, "--metrics", url)


def test_somebody_is_told_of_a_failure_and_of_nothing_else(corpusmill, torn, tmp_path, server):
    out = tmp_path / "out"
    corpusmill.run(torn, out, "--on-failure", f"{server.url}/hook", code=3)
    [(method, _, body)] = server.got
    told = json.loads(body)
    assert method == "POST"
    assert (told["recipe"], told["exit_code"], told["output"]) == ("light", 3, str(out))
    assert "s2.parquet is not in the dataset" in told["message"]
    script = tmp_path / "tell.py"
    script.write_text("import os; print('HEARD', os.environ['CORPUSMILL_EXIT_CODE'], os.environ['CORPUSMILL_MESSAGE'])")
    said = corpusmill.run(torn, out, "--on-failure", f"{sys.executable} {script}", code=3, env={})
    assert "HEARD 3 s2.parquet is not in the dataset" in said
    assert "nobody was told" in corpusmill.run(torn, out, "--on-failure", "/no/such/command", code=3)
    write_shard(torn / "s2.parquet", 2)
    corpusmill.run(torn, out, "--on-failure", f"{server.url}/hook")
    assert len(server.got) == 1
