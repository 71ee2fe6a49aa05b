"""OpenLineage run events (spec 2-0-2): what was read and written, as a job's START and its COMPLETE, FAIL or ABORT.

The events are made here rather than by the project's own client, which looks for a configuration file in the working directory and
the home (docs/decisions/0011-openlineage-events.md); tests hold them against the client's types. Neither record text nor options of filters
nor credentials are in them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipelines import listing, stores
from pipelines.provenance.transport import Transport
from pipelines.recipe import Recipe

SPEC = "https://openlineage.io/spec"
EVENT_SCHEMA = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = {
    "schema": "1-2-0/SchemaDatasetFacet",
    "dataSource": "1-0-1/DatasourceDatasetFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet",
    "lifecycleStateChange": "1-0-1/LifecycleStateChangeDatasetFacet",
    "dataQualityMetrics": "1-0-1/DataQualityMetricsDatasetFacet",
    "outputStatistics": "1-0-2/OutputStatisticsOutputDatasetFacet",
    "inputStatistics": "1-0-0/InputStatisticsInputDatasetFacet",
    "jobType": "2-0-4/JobTypeJobFacet",
    "documentation": "1-1-0/DocumentationJobFacet",
    "processing_engine": "1-1-1/ProcessingEngineRunFacet",
    "errorMessage": "1-0-1/ErrorMessageRunFacet",
}
"""Version and name of the facets of the spec that are used here."""

OURS = "urn:corpusmill:openlineage:1"
"""``$id`` of pipelines/provenance/openlineage.schema.json, which describes our own facets."""


@dataclass
class Run:
    """One run's events: ``start`` first, then exactly one of the others. Sending never raises."""

    recipe: Recipe
    transport: Transport
    namespace: str = "default"
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def start(self) -> None:
        self._send("START", inputs=[self._input(None)], outputs=[])

    def complete(self, told: Mapping[str, Any], failed: Mapping[str, str]) -> None:
        """told: the manifest that was published; failed: shards that are not in it."""
        facets = {"corpusmill_run": ours("RunFacet", failedShards=len(failed), manifestDigest=told["digest"])}
        self._send("COMPLETE", inputs=[self._input(told)], outputs=list(self._outputs(told)), run=facets)

    def fail(self, why: str) -> None:
        """why: the one line a user sees; such lines hold no record text."""
        self._send("FAIL", run={"errorMessage": facet("errorMessage", message=why, programmingLanguage="Python")})

    def abort(self) -> None:
        self._send("ABORT")

    def _send(
        self, kind: str, inputs: Sequence[Any] = (), outputs: Sequence[Any] = (), run: Mapping[str, Any] | None = None
    ) -> None:
        engine = facet("processing_engine", name="corpusmill", version=version("corpusmill"))
        self.transport.send(
            {
                "eventTime": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "eventType": kind,
                "producer": producer(),
                "schemaURL": EVENT_SCHEMA,
                "run": {"runId": self.id, "facets": {"processing_engine": engine, **(run or {})}},
                "job": self._job(),
                "inputs": list(inputs),
                "outputs": list(outputs),
            }
        )

    def _job(self) -> dict[str, Any]:
        recipe, said = self.recipe, self.recipe.about.description
        facets = {
            "jobType": facet("jobType", processingType="BATCH", integration="CORPUSMILL", jobType="JOB"),
            "corpusmill_recipe": ours(
                "RecipeFacet", fingerprint=recipe.fingerprint(), filters=[s.name for s in recipe.stages]
            ),
        }
        if said:
            facets["documentation"] = facet("documentation", description=said)
        return {"namespace": self.namespace, "name": recipe.name, "facets": facets}

    def _input(self, told: Mapping[str, Any] | None) -> dict[str, Any]:
        dataset = _dataset(self.recipe.input.path)
        if told is None:
            return dataset
        read, rows = listing.tally(told, "status").get(("read",), listing.Sum()), told["records"]["read"]
        dataset["facets"] |= {"schema": _schema(told)}
        dataset["inputFacets"] = {
            "inputStatistics": facet("inputStatistics", rowCount=rows, size=read.bytes, fileCount=read.files)
        }
        return dataset

    def _outputs(self, told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        for kind in ("data", "rejected"):
            count, rows, size = listing.sums(told, kind)
            dataset = _dataset(f"{self.recipe.output.path.rstrip('/')}/{kind}")
            dataset["facets"] |= {
                "lifecycleStateChange": facet("lifecycleStateChange", lifecycleStateChange="OVERWRITE"),
                "dataQualityMetrics": facet("dataQualityMetrics", rowCount=rows, bytes=size, columnMetrics={}),
            }
            if kind == "data":
                dataset["facets"] |= {
                    "schema": _schema(told),
                    "version": facet("version", datasetVersion=told["data_digest"]),
                    "corpusmill_dataset": _curation(told),
                }
            statistics = facet("outputStatistics", rowCount=rows, size=size, fileCount=count)
            yield {**dataset, "outputFacets": {"outputStatistics": statistics}}


def facet(kind: str, /, **fields: Any) -> dict[str, Any]:
    """A facet of the spec."""
    of_version, _, of_name = FACETS[kind].partition("/")
    url = f"{SPEC}/facets/{of_version}/{of_name}.json#/$defs/{of_name}"
    return {"_producer": producer(), "_schemaURL": url, **fields}


def ours(kind: str, /, **fields: Any) -> dict[str, Any]:
    """A facet of our own."""
    return {"_producer": producer(), "_schemaURL": f"{OURS}#/$defs/{kind}", **fields}


def producer() -> str:
    return f"urn:corpusmill:{version('corpusmill')}"


def _dataset(path: str) -> dict[str, Any]:
    """A folder by OpenLineage's naming: of local files, namespace ``file`` and the absolute path; on a store, the bucket and the key."""
    if stores.is_url(path):
        scheme, _, rest = path.partition("://")
        bucket, _, key = rest.partition("/")
        return {
            "namespace": f"{scheme}://{bucket}",
            "name": key or "/",
            "facets": {"dataSource": facet("dataSource", name=f"{scheme}://{bucket}", uri=path)},
        }
    where = Path(path).absolute()
    return {
        "namespace": "file",
        "name": str(where),
        "facets": {"dataSource": facet("dataSource", name="file", uri=where.as_uri())},
    }


def _schema(told: Mapping[str, Any]) -> dict[str, Any]:
    """Of the most frequent schema; the others are in the manifest."""
    entries = told["schemas"][:1]
    return facet("schema", fields=[_field(c) for entry in entries for c in entry["columns"]])


def _field(column: Mapping[str, Any]) -> dict[str, Any]:
    nested = [_field(c) for c in column.get("fields", ())]
    return {"name": column["name"], "type": column["type"], **({"fields": nested} if nested else {})}


def _curation(told: Mapping[str, Any]) -> dict[str, Any]:
    rejected = {f["name"]: f["rejected_first"] for f in told["filters"]}
    return ours(
        "DatasetFacet", records=told["records"], rejectedFirst=rejected, edits=told["edits"], complete=told["complete"],
        origin=told["about"]["origin"], undeclared=told["about"]["undeclared"],
    )  # fmt: skip
