"""Recipes: what to read, which filters with which options, where to write. Unknown keys are refused, never ignored."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta

from filters import registry
from filters.contract import ConfigError, Filter, Options
from pipelines import gates, stores
from pipelines.errors import UsageError
from pipelines.executors.options import Executor
from pipelines.gates import Bounds
from pipelines.names import nearest
from pipelines.provenance import about
from pipelines.provenance.about import About

MIB = 1 << 20
SECTIONS = ("about", "input", "output", "work", "executor")
RECIPE_BYTES = 256 << 10
"""A recipe is read in Python, a megabyte in ten seconds; lists that long belong into files of their own."""
RESERVED = frozenset({"read", "record_id", "shard", "row", "kept", "rejected_by", "reason", "reasons"})


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where records come from."""

    path: Annotated[
        str, Meta(description="a folder, a file, or a glob of Parquet or JSONL shards, or a URL (s3://, hf://) of such")
    ] = ""
    columns: Annotated[
        dict[str, str], Meta(description="standard name -> column, for a schema that is not recognised")
    ] = {}
    max_record_bytes: Annotated[
        int, Meta(ge=1, description="a record with more text than this (bytes) is rejected as record_too_large")
    ] = 32 * MIB
    augment: Annotated[
        Literal["", "counterfactual"],
        Meta(description="counterfactual: each shard is read a second time, as copies with genders and names swapped"),
    ] = ""
    strict_schema: Annotated[
        bool, Meta(description="a shard whose Arrow schema differs from the first shard's fails instead of warning")
    ] = False


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the dataset goes, and in what form."""

    path: Annotated[str, Meta(description="the folder of the dataset, made when it is not there; or a URL (s3://)")] = (
        ""
    )
    state: Annotated[
        str, Meta(description="where path is a URL, the folder that the run works in; empty: one of the user's cache")
    ] = ""
    scrub_rejected: Annotated[bool, Meta(description="apply scrubbing edits to rejected records too")] = True
    compression: Annotated[
        str, Meta(pattern="^(zstd|snappy|gzip|lz4|none)$", description="Parquet compression codec")
    ] = "zstd"
    row_group_bytes: Annotated[
        int, Meta(ge=1 << 16, description="a row group is closed when it holds this many bytes of Arrow data")
    ] = 32 * MIB
    report_examples: Annotated[
        int, Meta(ge=0, le=10, description="scrubbed excerpts that report.html shows a reason; 0 shows none")
    ] = 3
    keep_versions: Annotated[
        int,
        Meta(
            ge=0, le=1000, description="earlier published versions that stay, to go back to with `corpusmill rollback`"
        ),
    ] = 0


class Work(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the work is cut. Part of what names the files, so not an option of the machine."""

    unit_bytes: Annotated[
        int, Meta(ge=1 << 16, description="a unit of work is a run of row groups of about this many uncompressed bytes")
    ] = 256 * MIB
    batch_bytes: Annotated[
        int, Meta(ge=1 << 16, description="records are judged in batches of about this many bytes of Arrow data")
    ] = 16 * MIB


@dataclass(frozen=True)
class Stage:
    """One filter of a recipe with its effective options."""

    name: str
    options: Options

    @property
    def filter(self) -> type[Filter]:
        return registry.load(self.name)

    def build(self) -> Filter:
        """The filter, its models loaded."""
        return self.filter(self.options)


@dataclass(frozen=True)
class Recipe:
    name: str
    input: Input
    output: Output
    work: Work
    stages: tuple[Stage, ...]
    about: About = field(default_factory=About)
    gates: Mapping[str, Bounds] = field(default_factory=dict)
    executor: Executor = field(default_factory=Executor)

    def __post_init__(self) -> None:
        """No recipe holds credentials, so nothing that is made of one can. Raises UsageError."""
        stores.check(self.input.path, "the input")
        stores.check(self.output.path, "the output")

    def effective(self) -> dict[str, Any]:
        """Everything that decides what comes out, defaults included; where it is read and written, how long versions are kept
        and what carries the work is not part of it, nor are what people say about it and the gates, which decide whether it is
        published."""
        return {
            "name": self.name,
            "input": _without(self.input, "path"),
            "output": _without(self.output, "path", "state", "keep_versions"),
            "work": _without(self.work),
            "filters": [{s.name: msgspec.to_builtins(s.options)} for s in self.stages],
        }

    def document(self) -> dict[str, Any]:
        """The effective recipe as a document that ``from_document`` takes, for workers."""
        return self.effective()

    def assets(self) -> dict[str, dict[str, str]]:
        """Models and rule packs by filter: name -> sha256."""
        try:
            return {s.name: dict(s.filter.assets(s.options)) for s in self.stages}
        except ConfigError as error:
            raise UsageError(str(error)) from None

    def software(self) -> dict[str, Any]:
        """``software``, and the packages and programs of the machine that only these filters need."""
        told, extra = software(), [p for s in self.stages for p in s.filter.packages]
        try:
            programs = {name: version for s in self.stages for name, version in s.filter.programs(s.options).items()}
        except ConfigError as error:
            raise UsageError(str(error)) from None
        packages = {**told["packages"], **{p: _version(p) for p in extra}}
        return {**told, "packages": packages, **({"programs": programs} if programs else {})}

    def fingerprint(self) -> str:
        """sha256 of the effective recipe, the models, the code and the packages that read, judge and write. What only the report
        shows is left out: no record has to be judged again for it."""
        document = self.effective()
        document["output"] = {k: v for k, v in document["output"].items() if k != "report_examples"}
        told = [document, self.assets(), self.software()]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def work_fingerprint(self) -> str:
        """The fingerprint of what judging a record depends on: without what only decides when all records are compared."""
        stages = tuple(Stage(s.name, _judging(s)) for s in self.stages)
        return replace(self, stages=stages).fingerprint()


def load(source: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe by path, or a shipped one by name, with ``--set`` overrides (``filter.option=value``) applied.

    Raises UsageError, in one line, for anything that is wrong with it.
    """
    return overridden(_parse(_read(source), source), overrides, source)


def overridden(document: Mapping[str, Any], overrides: Sequence[str], source: str = "recipe") -> Recipe:
    """A recipe document with ``filter.option=value`` overrides applied, as YAML values. The document is left as it is."""
    own: dict[str, Any] = copy.deepcopy(dict(document))
    for override in overrides:
        _override(own, override)
    return from_document(own, source)


def stage(name: str, options: Mapping[str, Any]) -> Stage:
    """One filter by name with its options, as a worker gets them. Raises UsageError."""
    return _stage({name: dict(options)}, "recipe")


def shipped() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(
        p.name.removesuffix(".yaml")
        for p in files("pipelines").joinpath("recipes").iterdir()
        if p.name.endswith(".yaml")
    )


def from_document(document: Mapping[str, Any], source: str = "recipe") -> Recipe:
    known = ("name", "about", "input", "output", "work", "filters", "gates", "executor")
    for key in document:
        if key not in known:
            raise UsageError(f"{source}: unknown key {key!r}{nearest(str(key), known)}; there are {', '.join(known)}")
    name = document.get("name", "")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise UsageError(f"{source}: name must be letters, digits, '.', '_' or '-', and is {name!r}")
    listed = document.get("filters")
    if not isinstance(listed, list) or not listed:
        raise UsageError(f"{source}: filters must be a list, in the order in which they are to give the reason")
    stages = tuple(_stage(entry, source) for entry in listed)
    for twice in (name for name, times in Counter(s.name for s in stages).items() if times > 1):
        raise UsageError(f"{source}: the filter {twice!r} stands twice in the list")
    _check_checked(stages, source)
    return Recipe(
        name=name,
        input=_section(Input, document, "input", source),
        output=_section(Output, document, "output", source),
        work=_section(Work, document, "work", source),
        stages=stages,
        about=about.parse(document.get("about"), source),
        gates=_gates(document, stages, source),
        executor=_section(Executor, document, "executor", source),
    )


def _check_checked(stages: Sequence[Stage], source: str) -> None:
    """Raises UsageError where a filter is to choose by what others verified, and none verifies anything."""
    for at, stage in enumerate(stages):
        others = [s for s in stages if not s.filter.compares] + [s for s in stages[:at] if s.filter.compares]
        if stage.filter.needs_checked(stage.options) and not any(s.filter.checks for s in others):
            known = ", ".join(name for name in registry.BUILT_IN if registry.load(name).checks)
            raise UsageError(
                f"{source}: {stage.name}: no filter of the recipe verifies records, so there is nothing to choose by: add one ({known}), "
                "or name a column"
            )


def _judging(stage: Stage) -> Options:
    """A stage's options, those as by default that only comparing looks at."""
    defaults = {f.name: f.default for f in msgspec.structs.fields(stage.options)}
    return msgspec.structs.replace(stage.options, **{n: defaults[n] for n in stage.filter.resolved_with})


def _gates(document: Mapping[str, Any], stages: Sequence[Stage], source: str) -> Mapping[str, Bounds]:
    given = document.get("gates") or {}
    if not isinstance(given, dict):
        raise UsageError(f"{source}: gates is a mapping of measures to their bounds, as in  kept_share: {{least: 0.5}}")
    bounds = {str(measure): _convert(Bounds, told, f"{source}: gates: {measure}") for measure, told in given.items()}
    gates.check_names(bounds, {s.name: s.filter for s in stages}, source)
    return bounds


@cache
def software() -> dict[str, Any]:
    """What else decides the bytes: our code, and the packages that read, judge and write."""
    digest = hashlib.sha256()
    for package in ("filters", "pipelines"):
        root = Path(str(files(package)))
        for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".yaml", ".json")):
            digest.update(f"{package}/{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    packages = ("datatrove", "fasttext-predict", "hyperscan", "jsonschema-rs", "license-expression", "numba", "numpy",
                "phonenumbers", "presidio-analyzer", "pyarrow")  # fmt: skip
    return {
        "corpusmill": version("corpusmill"),
        "code_sha256": digest.hexdigest(),
        "packages": {p: version(p) for p in packages},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


_NOT_RESOLVED = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool")


class _Loader(yaml.SafeLoader):
    """Safe, and without aliases (a few lines of them can unfold to gigabytes) or keys given twice.

    Of YAML's own types, dates stay text, and only ``true`` and ``false`` are booleans, as in YAML 1.2: ``no`` is Norwegian.
    """

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_RESOLVED]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed in a recipe")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = Counter(k.value for k, _ in node.value if isinstance(k.value, str))
        for twice in (k for k, times in keys.items() if times > 1):
            raise yaml.YAMLError(f"the key {twice!r} is given twice")
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def _read(source: str) -> str:
    if source in shipped():
        return files("pipelines").joinpath("recipes", f"{source}.yaml").read_text("utf-8")
    path = Path(source)
    try:
        with path.open("rb") as file:
            text = file.read(RECIPE_BYTES + 1)
        if len(text) > RECIPE_BYTES:
            raise UsageError(f"{source}: larger than {RECIPE_BYTES >> 10} KiB; that is no recipe")
        return text.decode("utf-8")
    except FileNotFoundError:
        told = f"not a file, and none of the shipped {', '.join(shipped())}{nearest(source, shipped())}"
        raise UsageError(f"no recipe {source!r}: {told}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{source}: cannot be read ({type(error).__name__})") from None


def _parse(text: str, source: str) -> dict[str, Any]:
    try:
        document = yaml.load(text, _Loader)
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, KeyError, AttributeError) as error:
        # The last four are what PyYAML's own constructors raise for ``!!int x`` and the like.
        raise UsageError(f"{source}: not YAML: {' '.join(str(error).split())[:300]}") from None
    if not isinstance(document, dict):
        raise UsageError(f"{source}: a recipe is a mapping with name, input, output and filters")
    return document


def _stage(entry: Any, source: str) -> Stage:
    if isinstance(entry, str):
        entry = {entry: {}}
    if not isinstance(entry, dict) or len(entry) != 1:
        raise UsageError(f"{source}: a filter is a name, or a name with its options; this is neither: {entry!r:.80}")
    [(name, options)] = entry.items()
    if name in RESERVED:
        raise UsageError(f"{source}: {name!r} is not a filter")
    try:
        found = registry.load(str(name))
        return Stage(str(name), _convert(found.Options, options or {}, f"{source}: {name}"))
    except ConfigError as error:
        raise UsageError(f"{source}: {error}") from None


def _section(kind: type, document: Mapping[str, Any], name: str, source: str) -> Any:
    return _convert(kind, document.get(name) or {}, f"{source}: {name}")


def _convert(kind: type, value: Any, where: str) -> Any:
    fields = kind.__struct_fields__  # type: ignore[attr-defined]
    if isinstance(value, dict):
        for key in value:
            if key not in fields:
                raise UsageError(
                    f"{where}: no option {key!r}{nearest(str(key), fields)}; there are {', '.join(fields) or 'none'}"
                )
    if _holds_huge(value):
        raise UsageError(f"{where}: a number has more than 64 bits")
    try:
        return msgspec.convert(value, kind)
    except TypeError as error:
        raise UsageError(f"{where}: {error}") from None
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {error}") from None


def _holds_huge(value: Any) -> bool:
    """Integers that neither NumPy nor Arrow can take."""
    if isinstance(value, dict):
        return any(map(_holds_huge, value.values()))
    if isinstance(value, list):
        return any(map(_holds_huge, value))
    return isinstance(value, int) and not -(1 << 63) <= value < 1 << 63


def _override(document: dict[str, Any], override: str) -> None:
    """``filter.option=value``, ``input.path=…``, ``output.compression=…``; the value is YAML."""
    target, equals, raw = override.partition("=")
    where, _, option = target.rpartition(".")
    if not equals or not where or not option:
        raise UsageError(f"--set {override}: write it as filter.option=value")
    value = _parse(f"value: {raw}", f"--set {target}")["value"]
    if where in SECTIONS:
        document[where] = {**(document.get(where) or {}), option: value}
        return
    listed = document.get("filters") if isinstance(document.get("filters"), list) else []
    names = [next(iter(e)) if isinstance(e, dict) and e else e for e in listed or []]
    if where not in names:
        known = [str(n) for n in names] + list(SECTIONS)
        raise UsageError(f"--set {override}: the recipe has no {where!r}{nearest(where, known)}")
    at = names.index(where)
    entry = listed[at]  # type: ignore[index]
    given = (entry[where] or {}) if isinstance(entry, dict) else {}
    listed[at] = {where: {**given, option: value}}  # type: ignore[index]


def _without(section: Any, *names: str) -> dict[str, Any]:
    return {k: v for k, v in msgspec.to_builtins(section).items() if k not in names}
