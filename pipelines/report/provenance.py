"""Where it came from and what made it: inputs, recipe, software, models and packs, parents, and what was taken out since."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import yaml

from pipelines import listing
from pipelines.report.markup import Section, code, details, number, plain, records, table
from pipelines.report.opening import size

SHARDS = 100
FAILED = 50


def section(told: Mapping[str, Any]) -> Section:
    parts = (
        _forgotten(told),
        _parents(told),
        _failed(told),
        _inputs(told),
        _recipe(told),
        _software(told),
        _digests(told),
    )
    return Section("provenance", "Provenance", "".join(parts))


def _forgotten(told: Mapping[str, Any]) -> str:
    trail = told.get("forgotten", [])
    rows = [
        (
            f["date"],
            f["records"],
            f["kept"],
            f["rejected"],
            code(f["list"]),
            f["kind"],
            f.get("source", ""),
            f.get("asked", ""),
        )
        for f in trail
    ]
    if not rows:
        return ""
    head = ("date", "records", "kept", "rejected", "list", "by", "on whose word", "asked")
    count = records(sum(f["records"] for f in trail))
    return f"<h3>Forgotten</h3><p>{count} were taken out after they were published.</p>" + table("Trail", head, rows)


def _parents(told: Mapping[str, Any]) -> str:
    rows = [(p["name"], code(p["data_digest"][:16])) for p in told["parents"]]
    if not rows:
        return ""
    return "<h3>Made from</h3>" + table("Datasets the input was read from", ("dataset", "data digest"), rows)


def _failed(told: Mapping[str, Any]) -> str:
    failed = listing.tally(told, "status").get(("failed",), listing.Sum()).files
    rows = [
        (code(i["path"]), text_of(i.get("why", "not read to its end; run.json and the log say more")))
        for i in islice(listing.inputs(told, "failed"), FAILED)
    ]
    if not rows:
        return ""
    return "<h3>Shards that are missing</h3>" + table("Not in the dataset", ("shard", "why"), rows, of=failed)


def text_of(value: str) -> str:
    return value[:400]


def _inputs(told: Mapping[str, Any]) -> str:
    rows = [
        (
            code(i["path"]),
            i.get("schema", ""),
            i.get("rows", 0),
            size(i.get("bytes", 0)),
            f"{i['status']}, {i['augmented']} copies" if "augmented" in i else i["status"],
            code(i.get("sha256", "")[:12]),
        )
        for i in islice(listing.inputs(told), SHARDS)
    ]
    found = listing.tally(told, "augmented")
    files = found.pop((None,), listing.Sum())
    head = ("shard", "schema", "rows", "size", "status", "sha256")
    body = table("Input shards", head, rows, limit=SHARDS, of=listing.number_of_inputs(told))
    again = "".join(f" Read a second time, as {kind} copies: {number(n.files)}." for (kind,), n in found.items())
    return f"<h3>Inputs</h3><p>{number(files.files)} shards, {size(files.bytes)}.{again}</p>" + details("Shards", body)


def _recipe(told: Mapping[str, Any]) -> str:
    document = yaml.safe_dump(told["recipe"]["effective"], sort_keys=False, allow_unicode=True, width=100)
    if len(document) > 20_000:
        document = document[:20_000] + "\n# cut here; manifest.json has the whole of it"
    shown = f'<pre tabindex="0"><code>{plain(document, 30_000)}</code></pre>'
    return f"<h3>Recipe</h3><p>Fingerprint {code(told['recipe']['fingerprint'][:16]).markup}.</p>" + details(
        "The recipe, every default filled in", shown
    )


def _software(told: Mapping[str, Any]) -> str:
    software = told["software"]
    packages = [("corpusmill", software["corpusmill"]), *software["packages"].items()]
    assets = [
        (f["name"], code(name), code(sha256[:16])) for f in told["filters"] for name, sha256 in f["assets"].items()
    ]
    models = table("Models and rule packs", ("filter", "asset", "sha256"), assets) if assets else ""
    programs = list(software.get("programs", {}).items())
    asked = table("Programs of the machine", ("program", "version"), programs) if programs else ""
    return f"<h3>Software, models and packs</h3>{models}{asked}" + details(
        f"Packages that read, judge and write: {len(packages)}", table("Packages", ("package", "version"), packages)
    )


def _digests(told: Mapping[str, Any]) -> str:
    rows = [
        ("manifest", code(told["digest"])),
        ("data/", code(told["data_digest"])),
        ("code", code(told["software"]["code_sha256"])),
    ]
    return "<h3>Digests</h3>" + table("sha256", ("of", "digest"), rows)
