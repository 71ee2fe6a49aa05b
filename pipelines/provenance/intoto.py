"""provenance.intoto.json: an in-toto statement (v1) with SLSA's provenance predicate, unsigned: who vouches for it signs it.

Subjects are the files of the dataset, or of one with a great many the file that lists them; what they were made from (shards, parent
datasets, models, packages, our code) are the resolved dependencies. Times and hosts are not part of it, so the same dataset has the same
statement.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines import listing, manifest

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:corpusmill:run:1"


def render(told: Mapping[str, Any], pages: Mapping[str, bytes]) -> bytes:
    """The statement on one dataset. pages: other generated files that it is to vouch for, by name."""
    described = {
        "manifest.json": manifest.written(told)[1],
        **{n: hashlib.sha256(d).hexdigest() for n, d in pages.items()},
    }
    if (listed := listing.side(told)) is not None:
        described[listed["path"]] = listed["sha256"]
    statement = {
        "_type": STATEMENT,
        "subject": [
            *({"name": name, "digest": {"sha256": sha256}} for name, sha256 in sorted(described.items())),
            *({"name": o["path"], "digest": {"sha256": o["sha256"]}} for o in _files(told)),
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"recipe": told["recipe"]["effective"], "about": told["about"]},
                "internalParameters": {"recipeFingerprint": told["recipe"]["fingerprint"]},
                "resolvedDependencies": list(_dependencies(told)),
            },
            "runDetails": {
                "builder": {"id": "urn:corpusmill", "version": {"corpusmill": told["software"]["corpusmill"]}},
                "metadata": {"invocationId": f"urn:sha256:{told['digest']}"},
            },
        },
    }
    return manifest.indented(statement, indent=1) + b"\n"


def _files(told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Those that are subjects themselves: of a dataset of many, the file that lists them stands for them."""
    return iter(()) if listing.side(told) is not None else listing.outputs(told)


def _dependencies(told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if (listed := listing.side(told)) is not None:
        notes = {"kind": "list of inputs", "count": listed["inputs"]}
        yield {"name": listed["path"], "digest": {"sha256": listed["sha256"]}, "annotations": notes}
    else:
        for shard in listing.inputs(told):
            if "sha256" in shard:
                yield {"name": shard["path"], "digest": {"sha256": shard["sha256"]}, "annotations": {"kind": "input"}}
    for parent in told["parents"]:
        yield {
            "name": parent["name"],
            "digest": {"sha256": parent["data_digest"]},
            "annotations": {"kind": "parent dataset", "digestOf": "the manifest's data_digest"},
        }
    for f in told["filters"]:
        for name, sha256 in f["assets"].items():
            yield {
                "name": name,
                "digest": {"sha256": sha256},
                "annotations": {"kind": "model or rules", "filter": f["name"]},
            }
    software = told["software"]
    yield {"name": "corpusmill", "uri": f"pkg:pypi/corpusmill@{software['corpusmill']}",
           "digest": {"sha256": software["code_sha256"]}, "annotations": {"kind": "code"}}  # fmt: skip
    for name, version in software["packages"].items():
        yield {"name": name, "uri": f"pkg:pypi/{name}@{version}", "annotations": {"kind": "package"}}
    for name, version in software.get("programs", {}).items():
        yield {"name": name, "annotations": {"kind": "program", "version": version}}
