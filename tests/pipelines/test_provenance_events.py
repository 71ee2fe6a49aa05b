"""OpenLineage events: to a file and to a real service that answers, errs, stalls or is not there."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import attr
import jsonschema
import openlineage.client.generated as generated
import pytest
from openlineage.client.generated.base import InputDataset, Job, OutputDataset, RunEvent
from openlineage.client.generated.base import Run as ClientRun

from pipelines.cli.provenance import with_events
from pipelines.errors import UsageError
from pipelines.provenance import openlineage, transport
from pipelines.run import run
from tests.pipelines.provenance import DECLARED, bread, wanted, write

SECRET = "key-that-must-not-leak"


class Service:
    """An HTTP service on this machine. behave: called with the handler, before anything is answered."""

    def __init__(self, behave=lambda handler: handler.answer(201)):
        self.received: list[tuple[str, dict, dict]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.received.append((self.path, dict(self.headers), json.loads(body)))
                behave(self)

            def answer(self, code, **headers):
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("OPENLINEAGE_URL", "OPENLINEAGE_API_KEY", "OPENLINEAGE_ENDPOINT", "OPENLINEAGE_DISABLED", "OPENLINEAGE_NAMESPACE",
                 "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(transport, "PAUSE", 0.01)


def curate(tmp_path, target=None, about=DECLARED):
    if not (tmp_path / "in").exists():
        write(tmp_path / "in", "a.parquet", bread())
    recipe = wanted(tmp_path, about=about)
    return with_events(recipe, target, lambda: run(recipe))


def events(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_nothing_is_sent_unless_it_is_asked_for(tmp_path):
    assert transport.wanted(None, {}) is None
    assert transport.wanted(None, {"OPENLINEAGE_API_KEY": SECRET}) is None
    assert transport.wanted(None, {"OPENLINEAGE_URL": "http://x", "OPENLINEAGE_DISABLED": "true"}) is None
    curate(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "out", "tokenizer.json"]


def test_a_run_is_a_start_and_a_complete_with_its_datasets(tmp_path):
    done = curate(tmp_path, str(tmp_path / "events.jsonl"))
    start, complete = events(tmp_path / "events.jsonl")
    assert (start["eventType"], complete["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == complete["run"]["runId"]
    uuid.UUID(start["run"]["runId"])
    [read], [data, rejected] = complete["inputs"], complete["outputs"]
    assert (read["namespace"], read["name"]) == ("file", str(tmp_path / "in"))
    assert read["inputFacets"]["inputStatistics"]["rowCount"] == 6
    assert data["name"] == str(tmp_path / "out" / "data")
    assert data["outputFacets"]["outputStatistics"]["rowCount"] == 5
    assert rejected["outputFacets"]["outputStatistics"]["rowCount"] == 1
    assert data["facets"]["version"]["datasetVersion"] == done.manifest["data_digest"]
    assert [f["name"] for f in data["facets"]["schema"]["fields"]] == ["id", "prompt", "response"]
    assert complete["run"]["facets"]["corpusmill_run"]["manifestDigest"] == done.manifest["digest"]


def test_events_are_as_the_official_client_has_them(tmp_path):
    """Every facet of the spec, by its schema's address, fits the client's class of that address: no field it does not know, none
    missing; ours fit the schema that ships."""
    curate(tmp_path, str(tmp_path / "events.jsonl"))
    told = events(tmp_path / "events.jsonl")
    failing = openlineage.Run(wanted(tmp_path), transport.FileTransport(tmp_path / "events.jsonl"))
    failing.fail("out of bread")
    failing.abort()
    told = events(tmp_path / "events.jsonl")
    assert [e["eventType"] for e in told] == ["START", "COMPLETE", "FAIL", "ABORT"]
    seen = {key for event in told for key in _check_event(event)}
    assert seen >= set(openlineage.FACETS)


def _check_event(event):
    for dataset in (*event["inputs"], *event["outputs"]):
        yield from _check_facets(
            {**dataset["facets"], **dataset.get("inputFacets", {}), **dataset.get("outputFacets", {})}
        )
    yield from _check_facets(event["job"]["facets"])
    yield from _check_facets(event["run"]["facets"])
    RunEvent(
        eventTime=event["eventTime"], producer=event["producer"], eventType=event["eventType"],
        run=ClientRun(runId=event["run"]["runId"]), job=Job(event["job"]["namespace"], event["job"]["name"]),
        inputs=[InputDataset(d["namespace"], d["name"]) for d in event["inputs"]],
        outputs=[OutputDataset(d["namespace"], d["name"]) for d in event["outputs"]],
    )  # fmt: skip
    assert event["schemaURL"] == RunEvent._get_schema()


def _check_facets(facets):
    ours = json.loads(
        (importlib.resources.files("pipelines.provenance") / "openlineage.schema.json").read_text("utf-8")
    )
    for key, facet in facets.items():
        url = facet["_schemaURL"]
        if url.startswith(openlineage.OURS):
            jsonschema.validate(facet, {**ours, "$ref": url.removeprefix(openlineage.OURS)})
            continue
        kind = _classes()[url]
        fields = {k: v for k, v in facet.items() if not k.startswith("_")}
        kind(**fields)
        assert {a.name for a in attr.fields(kind) if a.default is attr.NOTHING and a.init} <= set(fields)
        yield key


def _classes():
    found = {}
    for module in pkgutil.iter_modules(generated.__path__):
        for kind in vars(importlib.import_module(f"openlineage.client.generated.{module.name}")).values():
            if attr.has(kind) and hasattr(kind, "_get_schema"):
                found[kind._get_schema()] = kind
    return found


def test_neither_text_nor_options_nor_credentials_are_in_them(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_API_KEY", SECRET)
    curate(tmp_path, str(tmp_path / "events.jsonl"))
    told = (tmp_path / "events.jsonl").read_text("utf-8")
    for never in (SECRET, "rises because", "tokenizer.json"):
        assert never not in told


def test_a_failed_run_says_so_with_the_line_the_user_sees(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(Exception, match="nothing to publish"):
        curate(tmp_path, str(tmp_path / "events.jsonl"))
    start, fail = events(tmp_path / "events.jsonl")
    assert (start["eventType"], fail["eventType"]) == ("START", "FAIL")
    assert "nothing to publish" in fail["run"]["facets"]["errorMessage"]["message"]


def test_a_service_gets_them_with_the_key_at_the_standard_place(tmp_path, monkeypatch):
    with Service() as service:
        monkeypatch.setenv("OPENLINEAGE_URL", service.url + "/")
        monkeypatch.setenv("OPENLINEAGE_API_KEY", SECRET)
        monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "kitchen")
        curate(tmp_path)
    assert [path for path, _, _ in service.received] == ["/api/v1/lineage"] * 2
    assert {headers["Authorization"] for _, headers, _ in service.received} == {f"Bearer {SECRET}"}
    assert {event["job"]["namespace"] for _, _, event in service.received} == {"kitchen"}


def test_a_service_that_errs_for_a_while_is_asked_again(capsys):
    answers = iter([503, 429, 200])
    with Service(lambda handler: handler.answer(next(answers))) as service:
        transport.HttpTransport(service.url).send({"n": 1})
    assert len(service.received) == 3
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("code", "attempts"), [(500, 3), (401, 1), (404, 1)])
def test_a_service_that_refuses_is_one_line_and_no_failure(tmp_path, capsys, code, attempts):
    with Service(lambda handler: handler.answer(code)) as service:
        assert curate(tmp_path, service.url).exit_code == 0
    assert len(service.received) == 2 * attempts
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("{")]
    assert said == [f"corpusmill: lineage events do not reach {service.url} (it answers {code}); the run goes on"]


def test_a_redirect_is_not_followed_with_the_key(capsys):
    with Service() as other, Service(lambda handler: handler.answer(302, Location=other.url)) as service:
        transport.HttpTransport(service.url, SECRET).send({})
    assert other.received == []
    assert "it answers 302" in capsys.readouterr().err


def _trickle(handler):
    """A header line a moment, for ever: no single read ever takes long."""
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for n in range(1000):
            handler.wfile.write(b"X-%d: x\r\n" % n)
            time.sleep(0.05)
    except OSError:
        return


@pytest.mark.parametrize("behave", [lambda handler: time.sleep(30), _trickle])
def test_a_service_that_stalls_holds_a_run_up_for_a_bounded_time(capsys, behave):
    with Service(behave) as service:
        began = time.monotonic()
        sender = transport.HttpTransport(service.url, timeout=0.2, deadline=0.8)
        sender.send({})
        sender.send({})
        assert time.monotonic() - began < 4
    assert capsys.readouterr().err.count("\n") == 1


def test_a_place_that_is_not_there_is_one_line(tmp_path, capsys):
    with Service() as service:
        gone = service.url
    for target in (gone, str(tmp_path / "no" / "such" / "folder.jsonl")):
        assert curate(tmp_path, target).exit_code == 0
        said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("{")]
        assert len(said) == 1
        assert said[0].startswith("corpusmill: lineage events do not reach")


@pytest.mark.parametrize("url", ["ftp://x/", "http://", "https://user:pass@x/", "http://[", "file:///etc/passwd"])
def test_an_address_that_cannot_be_one_is_a_usage_error_that_does_not_repeat_it(url):
    with pytest.raises(UsageError) as error:
        transport.wanted(url, {})
    assert "pass@" not in str(error.value)
    assert not re.search(r"\n", str(error.value))


def test_the_command_takes_a_file(corpusmill, shards, tmp_path):
    corpusmill.run(shards, tmp_path / "out", "--lineage-events", tmp_path / "events.jsonl")
    assert [e["eventType"] for e in events(tmp_path / "events.jsonl")] == ["START", "COMPLETE"]
