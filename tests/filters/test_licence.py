"""Licences: every spelling means what it says, nothing is invented, and a policy allows no more than it lists."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import paths
from filters.contract import ConfigError
from filters.licence import LicenceFilter, LicenceOptions, library, policy
from filters.licence.expressions import Normaliser
from filters.licence.library import UNKNOWN
from filters.licence.policy import PRESETS, REASON_OF
from filters.licence.summary import conflict
from filters.licence.values import expressions
from tests.support import REAL, ROOT, batch_of, real, real_batch

SPELLINGS = yaml.safe_load((ROOT / "benchmarks" / "licence_spellings.yaml").read_text("utf-8"))
LIBRARY = library.load()
AND, OR = Normaliser(LIBRARY), Normaliser(LIBRARY, "or")
IDS = ("MIT", "Apache-2.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "GPL-2.0-only", "CC0-1.0", UNKNOWN)


def verdicts(rows: list[dict], **options) -> list[str | None]:
    licence = LicenceFilter(LicenceOptions(**options))
    judged = licence.judge(batch_of([{"prompt": "Why?", "response": "Because.", **row} for row in rows]))
    return [None if r < 0 else list(licence.reasons)[r] for r in judged.reason]


def expression(column: pa.Array, normaliser: Normaliser = AND) -> list[str | None]:
    return expressions(column, normaliser).to_pylist()


@pytest.mark.parametrize("wanted", SPELLINGS)
def test_spellings(wanted: str) -> None:
    made = {value: AND.expression(value) for value in SPELLINGS[wanted]}
    assert made == dict.fromkeys(made, None if wanted == "missing" else wanted)


def test_what_only_looks_like_a_licence_is_unknown() -> None:
    for value in (
        "LicenseRef-Acme", "mit and something else", "MIT AND", "AND MIT", "Apache 9.0", "MITT", "CC BY 7.5", "ask me",
        "GPL-3.0-or-later WITH commons clause", "\0", "é", "許可", "MIT " * 3000,
        "[" * 1000 + "x" + "]" * 900, "( " * 900, "with " * 390, "or " * 600, "MIT OR " * 300 + "MIT",
        "https://example.org/mit", "DocumentRef-x:LicenseRef-y", "'; DROP TABLE licences; --",
    ):  # fmt: skip
        assert AND.expression(value) in (UNKNOWN, None), value[:40]


def test_a_text_is_known_by_its_notices() -> None:
    mit = (
        "MIT License\n\nPermission is hereby granted, free of charge, to any person ... to use, copy, modify, merge, publish, \
distribute, sublicense, and/or sell copies ... shall be included in all copies or substantial portions of the Software."
    )
    assert AND.expression(mit) == "MIT"
    assert AND.expression("Apache License 2.0\n\nSee the file.") == "Apache-2.0"
    assert AND.expression("My own terms\n\nDo as I say.") == UNKNOWN


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (pa.array([["mit", "apache-2.0"], [], None, ["mit"]]), ["Apache-2.0 AND MIT", None, None, "MIT"]),
        (pa.array([["mit", None], ["", "n/a"]]), ["MIT", None]),
        (pa.array(["mit", None, "mit"]).dictionary_encode(), ["MIT", None, "MIT"]),
        (pa.array([{"name": "mit", "url": "x"}, {"name": None, "url": "https://opensource.org/licenses/ISC"}, None]),
         ["MIT", "ISC", None]),
        (pa.array([[{"key": "mit"}], [{"key": "isc"}, {"key": "zlib"}]]), ["MIT", "ISC AND Zlib"]),
        (pa.array([1, 2]), [UNKNOWN, UNKNOWN]),
        (pa.array([b"mit", b"\xff"]), ["MIT", UNKNOWN]),
        (pa.array([b"MIT", b"\xff\xfe mit"]).view(pa.string()), ["MIT", UNKNOWN]),
        (pa.array([], pa.string()), []),
        (pa.nulls(2), [None, None]),
    ],
)  # fmt: skip
def test_columns_of_every_type(column: pa.Array, wanted: list[str | None]) -> None:
    assert expression(column) == wanted
    assert expression(pa.concat_arrays([column, column]).slice(len(column))) == wanted


def test_lists_mean_what_the_recipe_says() -> None:
    assert expression(pa.array([["mit", "gpl-2.0"]]), OR) == ["GPL-2.0-only OR MIT"]
    assert OR.expression("mit, gpl-2.0") == OR.expression("mit/gpl-2.0") == "GPL-2.0-only OR MIT"
    assert AND.expression("MIT OR Apache-2.0") == OR.expression("MIT OR Apache-2.0") == "Apache-2.0 OR MIT"
    rows = [{"license": ["mit", "gpl-2.0"]}]
    assert verdicts(rows) == ["licence_share_alike"]
    assert verdicts(rows, list_means="or") == [None]


def test_paths_into_structs_and_json() -> None:
    rows = [{"metadata": {"license": "mit"}}, {"metadata": {"license": "cc-by-nc-4.0"}}, {"metadata": None}]
    assert verdicts(rows) == [None, "licence_non_commercial", "licence_missing"]
    rows = [{"meta": json.dumps({"a": {"license": v}})} for v in ("mit", ["mit", "gpl-2.0"], 3)] + [
        {"meta": "{"},
        {"meta": None},
    ]
    wanted = [None, "licence_share_alike", "licence_unknown", "licence_missing", "licence_missing"]
    assert verdicts(rows, column="meta.a.license") == wanted
    assert paths.at(pa.RecordBatch.from_pylist([{"a": {"b": 1}}]), "a.c").to_pylist() == [None]
    with pytest.raises(ConfigError, match="no column 'licens' \\(did you mean 'license'"):
        verdicts([{"license": "mit"}], column="licens")


POLICY_ROWS = ("cc0-1.0", "mit", "cc-by-4.0", "mpl-2.0", "cc-by-sa-4.0", "agpl-3.0", "gemma", "cc-by-nc-4.0", "cc-by-nc-nd-4.0",
               "proprietary", "pending", "other", None)  # fmt: skip


@pytest.mark.parametrize(
    ("preset", "kept"),
    [
        ("public-domain", 1),
        ("permissive", 2),
        ("attribution", 3),
        ("share-alike", 6),
        ("research", 8),
        ("all-known", 10),
    ],
)
def test_presets_each_allow_more_than_the_one_before(preset: str, kept: int) -> None:
    found = verdicts([{"license": name} for name in POLICY_ROWS], policy=preset)
    assert [code is None for code in found] == [i < kept for i in range(len(POLICY_ROWS))]


def test_reasons_name_the_greatest_fault() -> None:
    assert verdicts([{"license": name} for name in POLICY_ROWS], policy="public-domain")[1:] == [
        "licence_not_allowed", "licence_not_allowed", "licence_share_alike", "licence_share_alike", "licence_share_alike",
        "licence_use_restricted", "licence_non_commercial", "licence_no_derivatives", "licence_proprietary", "licence_pending",
        "licence_unknown", "licence_missing",
    ]  # fmt: skip
    assert set(REASON_OF.values()) <= set(LicenceFilter.reasons)
    assert set(REASON_OF) - {"denied"} == set(LIBRARY.categories)


def test_a_licence_with_several_categories_needs_all_of_them() -> None:
    row = [{"license": "cc-by-nc-sa-4.0"}]
    assert verdicts(row, policy="research") == [None]
    assert verdicts(row, categories=("attribution", "non-commercial")) == ["licence_share_alike"]


def test_what_is_not_known_is_kept_only_if_the_recipe_says_so() -> None:
    rows = [{"license": v} for v in ("other", "pending", None)]
    assert verdicts(rows, unknown="keep", pending="keep", missing="keep") == [None] * 3
    assert verdicts(rows, unknown="keep") == [None, "licence_pending", "licence_missing"]


def test_allow_and_deny() -> None:
    rows = [{"license": v} for v in ("gpl-3.0", "GPL-3.0-only OR CC-BY-NC-4.0", "mit", "Apache-2.0 OR MIT")]
    assert verdicts(rows, allow=("GPL-3.0-only",)) == [None, None, None, None]
    assert verdicts(rows, allow=("GPL-*",), deny=("mit",))[2:] == ["licence_denied", None]
    assert verdicts(rows, deny=("MIT OR Apache-2.0",))[2:] == [None, "licence_denied"]


def test_a_declaration_stands_in_for_records_that_say_nothing() -> None:
    licence = LicenceFilter(LicenceOptions(declared="CC BY 4.0"))
    rows = [{"prompt": "q", "response": "a", "license": v} for v in (None, "cc-by-4.0", "mit", "other")]
    judged = licence.judge(batch_of(rows))
    assert judged.scores["licence"].tolist() == ["CC-BY-4.0", "CC-BY-4.0", "MIT", UNKNOWN]
    assert judged.scores["source"].tolist() == [
        "declared",
        "record",
        "record, against declared",
        "record, against declared",
    ]
    bare = licence.judge(batch_of([{"prompt": "q", "response": "a"}]))
    assert (bare.reason[0], bare.scores["source"][0]) == (-1, "declared")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("// SPDX-License-Identifier: GPL-2.0+ OR MIT\nint x;", "GPL-2.0-or-later OR MIT"),
        ("/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */", "GPL-2.0-only WITH Linux-syscall-note"),
        ("<!-- SPDX-License-Identifier: Apache-2.0 -->", "Apache-2.0"),
        ('{"content": "# SPDX-License-Identifier: MIT\\nimport os"}', "MIT"),
        ("Put SPDX-License-Identifier: MIT. It is read by tools.", "MIT"),
        ("SPDX-License-Identifier: (MIT OR Apache-2.0) AND BSD-3-Clause\r\n", "(Apache-2.0 OR MIT) AND BSD-3-Clause"),
        ("SPDX-License-Identifier: LicenseRef-Acme", UNKNOWN),
        ("Write SPDX-License-Identifier: <id> on top.", None),
        ("SPDX-License-Identifier: tags are good", None),
        ("an spdx-license-identifier", None),
        ("SPDX-License-Identifier:", None),
        (" * it under the terms of the GNU General Public License as published by\n * the Free Software Foundation; either version 2"
         " of the License, or\n * (at your option) any later version.", "GPL-2.0-or-later"),
        ("# the terms of the GNU General Public License version 2 as\n# published by the Free Software Foundation.", "GPL-2.0-only"),
        ("under the terms of the GNU Lesser General Public\\n// License as published by the Free Software Foundation; version 2.1.",
         "LGPL-2.1-only"),
        ("# Licensed under the Apache License, Version 2.0 (the \"License\");", "Apache-2.0"),
        ("The Free Software Foundation published the GNU General Public License.", None),
        ("Redistribution and use in source and binary forms, with or without modification, are permitted ... Neither the name of X ..."
         ' PROVIDED BY THE COPYRIGHT HOLDERS "AS IS"', "BSD-3-Clause"),
    ],
)  # fmt: skip
def test_licences_in_texts(text: str, found: str | None) -> None:
    licence = LicenceFilter()
    judged = licence.judge(batch_of([{"prompt": "q", "response": "é\n" + text, "license": "mit"}]))
    assert judged.scores["headers"][0] == found
    assert judged.evidence.rule == ([f"text:{found}"] if found else [])


def test_a_header_that_is_not_allowed_rejects_what_is_otherwise_allowed() -> None:
    rows = [
        {"license": v, "response": f"```c\n// SPDX-License-Identifier: {h}\n```"}
        for v, h in (("mit", "GPL-3.0-only"), ("mit", "GPL-3.0-only OR MIT"), ("cc-by-nc-4.0", "GPL-3.0-only"))
    ]
    assert verdicts(rows) == ["licence_code_header", None, "licence_non_commercial"]
    assert verdicts(rows, headers="ignore") == [None, None, "licence_non_commercial"]


def test_spans_lie_on_the_header() -> None:
    batch = batch_of([{"text": "ü\n# SPDX-License-Identifier: MIT OR ISC -- see LICENSE\n", "license": "mit"}])
    evidence = LicenceFilter().judge(batch).evidence
    assert (
        batch.segments.bytes(evidence.segment[0])[evidence.start[0] : evidence.end[0]]
        == b"SPDX-License-Identifier: MIT OR ISC"
    )


def test_a_users_mapping_file_extends_and_overrides(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(
        "aliases: {Acme terms: LicenseRef-Acme, other: CC-BY-4.0}\nmissing: [ask legal]\n"
        "licences:\n  LicenseRef-Acme: {categories: [permissive], obligations: [notice]}\n"
        "  OFL-1.1: {categories: [permissive]}\n"
    )
    rows = [{"license": v} for v in ("acme TERMS", "LicenseRef-Acme", "other", "Ask Legal", "OFL-1.1")]
    assert verdicts(rows, aliases=str(path)) == [None, None, None, "licence_missing", None]
    assert LicenceFilter.assets(LicenceOptions(aliases=str(path)))["aliases"]
    path.write_text("aliases: {Acme terms: CC-BY-NC-4.0}\n")
    assert verdicts(rows[:1], aliases=str(path)) == ["licence_non_commercial"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("aliases: [", "ours.yaml"),
        ("alias: {}", "unknown field `alias`"),
        ("licences: {LicenseRef-X: {categories: [permisive]}}", "no category 'permisive'"),
        ("licences: {LicenseRef-X: {categories: []}}", "needs a category"),
        ("licences: {'LicenseRef-X Y': {categories: [permissive]}}", "a LicenseRef has letters"),
        ("urls: {'(': MIT}", "ours.yaml: url"),
        ("aliases: {x: LicenseRef-Nobody}", "'x' means 'LicenseRef-Nobody', which is no licence"),
    ],
)  # fmt: skip
def test_a_mapping_file_that_is_wrong_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        LicenceFilter.assets(LicenceOptions(aliases=str(path)))
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"policy": "permisive"}, "did you mean 'permissive'"),
        ({"categories": ("sharealike",)}, "did you mean 'share-alike'"),
        ({"declared": "Apache-2.5"}, "did you mean 'Apache-2.0'"),
        ({"allow": ("GPL-4*",)}, "matches no licence"),
        ({"deny": ("BSD-3-Claus",)}, "did you mean 'BSD-3-Clause'"),
        ({"aliases": "gone.yaml"}, "gone.yaml cannot be read"),
    ],
)
def test_options_that_are_wrong_are_told_before_anything_runs(options: dict, said: str) -> None:
    with pytest.raises(ConfigError, match="licence") as caught:
        LicenceFilter.assets(LicenceOptions(**options))
    assert said in str(caught.value)


def test_conflicts_are_named_whichever_comes_first() -> None:
    named = [("GPL-2.0-only", "Apache-2.0"), ("CC-BY-SA-4.0", "GPL-2.0-only"), ("CC-BY-NC-4.0", "CC-BY-SA-4.0"),
             ("ODbL-1.0", "CC-BY-SA-4.0"), ("LicenseRef-proprietary", "CC-BY-SA-4.0"), ("GPL-2.0-only", "GPL-3.0-or-later"),
             ("CC-BY-SA-3.0", "GPL-3.0-only"), ("CC-BY-NC-SA-4.0", "CC-BY-SA-4.0"), ("LicenseRef-Gemma", "GPL-3.0-only")]  # fmt: skip
    fit = [("MIT", "Apache-2.0"), ("GPL-3.0-only", "Apache-2.0"), ("CC-BY-SA-4.0", "GPL-3.0-only"), ("CC-BY-4.0", "CC-BY-SA-4.0"),
           ("GPL-2.0-or-later", "GPL-3.0-only"), ("CC-BY-SA-3.0", "CC-BY-SA-4.0"), ("CC-BY-NC-4.0", "CC-BY-NC-SA-4.0"),
           ("GPL-3.0-only", "AGPL-3.0-only"), ("MPL-2.0", "GPL-2.0-or-later"), ("CC-BY-NC-4.0", "MIT")]  # fmt: skip
    for a, b in named:
        told = conflict(LIBRARY, a, b)
        assert told and told == conflict(LIBRARY, b, a) and told.why and told.source.startswith("https://"), (a, b)
    assert [conflict(LIBRARY, *pair) for pair in fit] == [None] * len(fit)


def test_obligations_are_those_of_the_branch_that_is_taken() -> None:
    tables = {
        "spdx": {"GPL-3.0-only OR MIT": 5, "CC-BY-4.0": 2, "(none)": 1},
        "spdx_in_texts": {"Apache-2.0": 1, "(none)": 7},
    }
    told = LicenceFilter.summarise(tables, LicenceOptions())
    assert told["undeclared"] == 1 and told["conflicts"] == []
    assert [(e["taken"], e["records"], e["where"]) for e in told["licences"]] == [
        (["CC-BY-4.0"], 2, "record"), (["MIT"], 5, "record"), (["Apache-2.0"], 1, "text"),
    ]  # fmt: skip
    assert {o["obligation"]: o["licences"] for o in told["obligations"]} == {
        "notice": {"Apache-2.0": 1, "MIT": 5}, "attribution": {"CC-BY-4.0": 2}, "state-changes": {"Apache-2.0": 1, "CC-BY-4.0": 2},
    }  # fmt: skip
    only = LicenceFilter.summarise(tables, LicenceOptions(policy="share-alike", deny=("MIT",)))
    assert ["GPL-3.0-only"] in [e["taken"] for e in only["licences"]]


trees = st.recursive(
    st.sampled_from(IDS),
    lambda inner: st.tuples(st.sampled_from(["AND", "OR"]), st.lists(inner, min_size=2, max_size=3)),
    max_leaves=8,
)


def written(tree, turned: bool = False) -> str:
    if isinstance(tree, str):
        return tree
    parts = [f"({written(t, turned)})" for t in tree[1]]
    return f" {tree[0]} ".join(reversed(parts) if turned else parts)


def allowed(tree, categories: set[str]) -> bool:
    if isinstance(tree, str):
        return set(LIBRARY.terms(tree).categories) <= categories
    return (all if tree[0] == "AND" else any)(allowed(t, categories) for t in tree[1])


@settings(max_examples=150, deadline=None)
@given(trees, st.sampled_from(sorted(PRESETS)))
def test_and_needs_all_and_or_needs_one_in_whatever_order(tree, preset: str) -> None:
    made = AND.canonical([written(tree)])
    assert made == AND.canonical([written(tree, turned=True)]) == AND.canonical([made])
    choice = policy.of(LicenceOptions(policy=preset)).choice
    assert (choice(made).fault is None) == allowed(tree, set(PRESETS[preset]))


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.sampled_from([v for vs in SPELLINGS.values() for v in vs])))
def test_a_normalised_value_stays_as_it_is_and_holds_no_text_of_the_data(value: str) -> None:
    made = AND.expression(value)
    if made is not None:
        assert AND.expression(made) == made
        assert AND.expression(f"  {value.upper()} ") in (made, UNKNOWN, None) or value.upper().lower() != value.lower()
        words = set(made.replace("(", " ").replace(")", " ").split()) - {"AND", "OR", "WITH"}
        assert words <= LIBRARY.known


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(POLICY_ROWS), min_size=1, max_size=12), st.integers(1, 5), st.sampled_from(sorted(PRESETS))
)
def test_verdicts_follow_from_scores_and_not_from_the_batch(names: list, size: int, preset: str) -> None:
    rows = [{"prompt": "q", "response": "SPDX-License-Identifier: ISC", "license": v} for v in names]
    table = pa.Table.from_pylist(rows, pa.schema([(k, pa.string()) for k in rows[0]]))
    licence = LicenceFilter(LicenceOptions())
    whole = licence.judge(batch_of(table))
    parts = [licence.judge(batch_of(table.slice(i, size))).reason for i in range(0, len(rows), size)]
    assert whole.reason.tolist() == np.concatenate(parts).tolist()
    other = LicenceOptions(policy=preset)
    assert (
        LicenceFilter.decide(whole.scores, other).tolist()
        == LicenceFilter(other).judge(batch_of(table)).reason.tolist()
    )


def test_nothing_is_found_in_chats_about_other_things() -> None:
    for name in ("alpaca", "glaive_sharegpt", "gsm8k", "taubench_airline"):
        for path in real(name):
            judged = LicenceFilter(LicenceOptions(missing="keep")).judge(real_batch(path))
            assert not [rule for rule in judged.evidence.rule if rule.startswith("text:")], (REAL, name)
