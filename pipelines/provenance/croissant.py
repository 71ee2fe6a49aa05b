"""croissant.json: the dataset in Croissant 1.1 (MLCommons) with the vocabulary of its RAI extension, for loaders and catalogues.

Records are described by file sets (globs) and their columns. Digests of the files stand beside them while they are few; of a dataset
with thousands of shards the digests are in ``manifest.json`` or the file that it names, which are themselves listed with their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines import listing, manifest
from pipelines.provenance import columns
from pipelines.provenance.card import languages
from pipelines.provenance.page import ORIGINS, personal_data

MOST_FILES = 200
"""Files listed one by one; beyond it the document would be mostly digests that the manifest has already."""

PARQUET = "application/vnd.apache.parquet"
CONFORMS = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]

_TERMS = (
    "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "examples", "extract", "field", "fileObject",
    "fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5", "parentField",
    "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField",
    "transform",
)  # fmt: skip
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{term: f"cr:{term}" for term in _TERMS},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}

_COLLECTION = {"crawled": "Web Scraping", "user": "User-generated content data", "public": "Secondary Data analysis",
               "licensed": "Secondary Data analysis", "third_party": "Secondary Data analysis",
               "synthetic": "Software Collection"}  # fmt: skip
"""Of the values that the RAI vocabulary recommends for ``dataCollectionType``."""


def render(told: Mapping[str, Any]) -> bytes:
    """The document, from the manifest alone; what is undeclared is left out of it."""
    about = told["about"]
    body = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": told["name"],
        "alternateName": about["title"],
        "description": about["description"] or f"A dataset curated by corpusmill with the recipe {told['name']}.",
        "version": about["version"],
        "license": about["licence"] or sorted(n for n in told["tables"]["licenses"] if n[0] != "("),
        "url": about["urls"][0] if about["urls"] else None,
        "sameAs": list(about["urls"][1:]) if about["urls"] else None,
        "citeAs": about["citation"],
        "creator": {"@type": "sc:Organization", "name": about["organisation"]} if about["organisation"] else None,
        "inLanguage": languages(told),
        "isLiveDataset": False,
        **_responsible(told),
        "prov:wasDerivedFrom": _parents(told),
        "distribution": list(_distribution(told)),
        "recordSet": [r for entry in told["schemas"] if (r := _record_set(entry, told))],
    }
    return (json.dumps(_present(body), indent=2, ensure_ascii=False) + "\n").encode()


def _present(body: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in body.items() if v is not None and v != []}


def _responsible(told: Mapping[str, Any]) -> dict[str, Any]:
    """The RAI properties that the manifest has something to say on."""
    about = told["about"]
    dropped = [f"{f['name']} rejected {f['rejected']:,} records" for f in told["filters"] if f["rejected"]]
    period = [d for d in (about["collected_from"], about["collected_to"]) if d]
    return {
        "rai:dataCollection": ORIGINS[about["origin"]] if about["origin"] else None,
        "rai:dataCollectionType": [_COLLECTION.get(about["origin"], "Others")] if about["origin"] else None,
        # The vocabulary spells it so and wants an ISO 8601 interval; mlcroissant reads dates under the other spelling.
        "rai:dataCollectionTimeframe": "/".join(period) or None,
        "rai:dataCollectionTimeFrame": [d + "-01-01"[len(d) - 4 :] for d in period],
        "rai:dataCollectionRawData": "; ".join(s["name"] for s in about["sources"] or ()) or None,
        "rai:dataPreprocessingProtocol": dropped,
        "rai:dataManipulationProtocol": "; ".join(f"replaced {k}: {n:,}" for k, n in told["edits"].items()) or None,
        "rai:dataAnnotationProtocol": [f"Labelled by: {m}"] if (m := about["labelling_method"]) else None,
        "rai:machineAnnotationTools": [m["name"] for m in about["generator_models"] or ()],
        "rai:dataUseCases": [about["intended_use"]] if about["intended_use"] else None,
        "rai:dataLimitations": [t for t in (about["limitations"], _gaps(about)) if t],
        "rai:personalSensitiveInformation": [" ".join(personal_data(told))],
        "rai:dataReleaseMaintenancePlan": about["opt_out"],
    }


def _gaps(about: Mapping[str, Any]) -> str:
    return f"Undeclared: {', '.join(about['undeclared'])}." if about["undeclared"] else ""


def _parents(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    named = [{"prov:label": p["name"], "@id": f"urn:sha256:{p['data_digest']}"} for p in told["parents"]]
    outside = [*(told["about"]["sources"] or ()), *(told["about"]["seed_datasets"] or ())]
    return [*named, *(_present({"prov:label": s["name"], "@id": s["url"]}) for s in outside)]


def _distribution(told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield _file("manifest.json", "application/json", *manifest.written(told),
                "What the dataset is made of, with the sha256 of every file.")  # fmt: skip
    if (listed := listing.side(told)) is not None:
        yield _file(
            listed["path"], PARQUET, listed["bytes"], listed["sha256"], "Every file of the dataset, with its sha256."
        )
    if listing.sums(told, "data").files <= MOST_FILES:
        for o in listing.outputs(told, "data"):
            yield _file(o["path"], PARQUET, o["bytes"], o["sha256"], f"{o['rows']:,} kept records")
    where = listed["path"] if listed is not None else "manifest.json"
    for entry in told["schemas"]:
        if count := columns.kept_by(entry, told).files:
            # Readers differ in whether * goes into folders.
            everything = ["data/*.parquet", "data/**/*.parquet"]
            includes = columns.paths_of(entry, told) if columns.several(told) else everything
            yield {
                "@type": "cr:FileSet",
                "@id": _files_id(entry),
                "description": f"{count:,} files of kept records; their sha256 are in {where}",
                "encodingFormat": ["application/x-parquet", PARQUET],
                "includes": includes,
            }


def _file(path: str, kind: str, size: int, sha256: str, told: str) -> dict[str, Any]:
    return {"@type": "cr:FileObject", "@id": _id(path), "name": path, "description": told, "contentUrl": path,
            "contentSize": f"{size} B", "encodingFormat": kind, "sha256": sha256}  # fmt: skip


def _id(name: str) -> str:
    """A name as an identifier: ids are IRIs, and readers take no escaped blanks in them."""
    return re.sub(r"[^\w./-]", lambda found: f"~{ord(found.group()):x}", name)


def _files_id(entry: Mapping[str, Any]) -> str:
    return f"{entry['config']}-files"


def _record_set(entry: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any] | None:
    kept = columns.kept_by(entry, told)
    if not kept.files:
        return None
    left_out: list[str] = []
    fields = list(_fields(entry, left_out))
    note = f"; nested too deep to be described here, though in the files: {', '.join(left_out)}" if left_out else ""
    return {
        "@type": "cr:RecordSet",
        "@id": entry["config"],
        "name": entry["config"],
        "description": f"{kept.rows:,} kept records{note}",
        "field": fields,
    }


@dataclass(frozen=True)
class _Place:
    """Where a field's values are: a column of a file set, and the way down into it; in_list: a list was passed on it."""

    files: str
    column: str
    way: tuple[str, ...] = ()
    in_list: bool = False

    def into(self, name: str, in_list: bool) -> _Place:
        return _Place(self.files, self.column, (*self.way, name), in_list or self.in_list)

    def source(self) -> dict[str, Any]:
        told: dict[str, Any] = {"fileSet": {"@id": self.files}, "extract": {"column": self.column}}
        if self.way:
            told["transform"] = {"jsonPath": ".".join(s if s.isidentifier() else f'"{s}"' for s in self.way)}
        return told


def _fields(entry: Mapping[str, Any], left_out: list[str]) -> Iterator[dict[str, Any]]:
    for column in entry["columns"]:
        made = _field(column, entry["config"], _Place(_files_id(entry), column["name"]), left_out)
        if made is not None:
            yield made


def _field(column: Mapping[str, Any], above: str, place: _Place, left_out: list[str]) -> dict[str, Any] | None:
    """A column or a part of one; None, and noted, where Croissant's readers cannot go: lists of structs inside lists, maps."""
    name = f"{above}/{column['name']}"
    field: dict[str, Any] = {"@type": "cr:Field", "@id": _id(name), "name": name}
    depth = 0
    while column["type"] in columns.LISTS:
        [column] = column["fields"]
        depth += 1
    if depth:
        field |= {"isArray": True, "arrayShape": ",".join(["-1"] * depth)}
    kind = column["type"]
    if kind == "struct" and not place.in_list and (depth == 0 or (depth == 1 and not place.way)):
        inner = (_field(c, name, place.into(c["name"], depth > 0), left_out) for c in column["fields"])
        parts = [f for f in inner if f is not None]
        return {**field, "subField": parts} if parts else None
    data_type = _data_type(kind)
    if data_type is None or (depth > 1 and place.way):
        left_out.append(name.partition("/")[2])
        return None
    return {**field, "dataType": data_type, "source": place.source()}


_WORDS = {"bool": "sc:Boolean", "halffloat": "cr:Float16", "float": "cr:Float32", "double": "cr:Float64", "null": "sc:Text",
          "date32[day]": "sc:Date", "date64[ms]": "sc:Date", "extension<arrow.json>": "sc:Text"}  # fmt: skip
_PATTERNS = (
    (re.compile(r"u?int\d+"), lambda kind: f"cr:{'UInt' if kind[0] == 'u' else 'Int'}{kind.lstrip('uint')}"),
    (re.compile(r"(large_)?(string|binary)(_view)?|fixed_size_binary\[\d+\]"), lambda kind: "sc:Text"),
    (re.compile(r"timestamp\[.*\]"), lambda kind: "sc:DateTime"),
    (re.compile(r"time(32|64)\[.*\]"), lambda kind: "sc:Time"),
    (re.compile(r"decimal\d+\(.*\)"), lambda kind: "sc:Float"),
)


def _data_type(kind: str) -> str | None:
    """schema.org's and Croissant's word for an Arrow type; None where they have none."""
    return _WORDS.get(kind) or next((told(kind) for pattern, told in _PATTERNS if pattern.fullmatch(kind)), None)
