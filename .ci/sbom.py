"""What corpusmill is installed with, as a CycloneDX bill of materials: packages that it and its extras need, with their licences.

python .ci/sbom.py FILE    # exits with 1 when a package names no licence
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from email.message import Message
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "corpusmill"
EXTRAS = ("s3", "ray", "tokens", "math")
TOLD = {"antlr4-python3-runtime": "BSD-3-Clause", "protobuf": "BSD-3-Clause", "ray": "Apache-2.0"}
"""Licences of packages whose metadata names none, from their sources."""


def needed() -> dict[str, list[str]]:
    """Name -> names of what it needs here (this Python, this system), from the root on. What is not installed is left out."""
    found: dict[str, list[str]] = {}
    waiting, seen = [(ROOT, EXTRAS)], set()
    while waiting:
        if (one := waiting.pop()) in seen:
            continue
        seen.add(one)
        wanted = list(_requirements(*one))
        found[one[0]] = sorted({*found.get(one[0], ()), *(name for name, _ in wanted)})
        waiting += wanted
    return found


def _requirements(name: str, extras: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for line in distribution(name).requires or ():
        told = Requirement(line)
        if told.marker is None or any(told.marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            with suppress(PackageNotFoundError):
                distribution(told.name)
                yield canonicalize_name(told.name), tuple(sorted(told.extras))


def licence(found: Distribution) -> str:
    """The expression the package declares, else its classifiers, else its short licence field; empty where there is none."""
    told: Message = found.metadata  # type: ignore[assignment]
    if expression := told.get("License-Expression"):
        return expression
    prefix = "License :: OSI Approved :: "
    named = [c.removeprefix(prefix) for c in told.get_all("Classifier") or () if c.startswith(prefix)]
    field = (told.get("License") or "").strip()
    return " / ".join(named) or (field if 0 < len(field) < 100 and "\n" not in field else "")


def main(file: str) -> int:
    bom, licences, parts = Bom(), LicenseFactory(), {}
    graph = needed()
    missing = []
    for name in sorted(graph):
        found = distribution(name)
        told = licence(found) or TOLD.get(name, "")
        if not told:
            missing.append(name)
        kind = ComponentType.APPLICATION if name == ROOT else ComponentType.LIBRARY
        parts[name] = Component(
            name=name, version=found.version, type=kind, bom_ref=f"{name}=={found.version}",
            purl=PackageURL("pypi", name=name, version=found.version),
            licenses=[licences.make_from_string(told)] if told else [],
        )  # fmt: skip
    bom.metadata.component = parts[ROOT]
    bom.components = [part for name, part in parts.items() if name != ROOT]  # type: ignore[assignment]
    for name, inner in graph.items():
        bom.register_dependency(parts[name], [parts[n] for n in inner])
    Path(file).write_text(JsonV1Dot6(bom).output_as_string(indent=1) + "\n", "utf-8")
    print(f"{file}: {len(parts)} packages")
    if missing:
        print(f"no licence is named by {', '.join(missing)}: look it up, and add it to TOLD", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
