"""Which rules count, and under which profile, can be chosen after judging: the same verdicts as judging again."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import mutations
from filters.batch import Batch
from filters.contract import ConfigError
from filters.structure import StructureFilter
from filters.structure.rules import PROFILES, REASONS
from tests.filters.test_structure_properties import CHAT, MESSAGE, TOOLS, clean
from tests.support import batch_of, real

Options = StructureFilter.Options
OFF = st.lists(st.sampled_from(list(REASONS)), max_size=4, unique=True).map(tuple)


def recorded(structure: StructureFilter, batch: Batch) -> dict[str, np.ndarray]:
    """Scores as annotations give them back: lists of text as an object array of arrays."""
    rules = structure.judge(batch).scores["rules"]
    assert isinstance(rules, pa.Array)
    return {"rules": rules.to_numpy(zero_copy_only=False)}


def same(batch: Batch, first: Options, then: Options) -> None:
    scores = recorded(StructureFilter(first), batch)
    assert StructureFilter.decide(scores, then).tolist() == StructureFilter(then).judge(batch).reason.tolist()
    assert StructureFilter.decide(scores, first).tolist() == StructureFilter(first).judge(batch).reason.tolist()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({"messages": st.lists(MESSAGE, max_size=4), "tools": TOOLS}), min_size=1, max_size=3
    ),
    st.booleans(),
    *(st.tuples(st.sampled_from(PROFILES), OFF) for _ in range(2)),
)
def test_other_options_afterwards_are_those_options_from_the_start(
    rows: list[dict], strict: bool, first: tuple[str, tuple[str, ...]], then: tuple[str, tuple[str, ...]]
) -> None:
    batch = batch_of(pa.Table.from_pylist(rows, CHAT))
    same(batch, *(Options(profile=p, off=off, strict=strict) for p, off in (first, then)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("first", "then", "strict"), list(product(PROFILES, PROFILES, (False, True))))
def test_every_profile_afterwards_on_records_with_every_fault(first: str, then: str, strict: bool) -> None:
    made = [record for r in clean() for _, _, record in mutations.mutants(r, random.Random(0))]
    batch = batch_of(mutations.table(made))
    same(batch, Options(profile=first, strict=strict), Options(profile=then, strict=strict))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["bfcl_v4", "glaive_sharegpt", "nemo_gym_rollouts", "taubench_airline"])
def test_every_rule_off_afterwards_on_published_records(name: str) -> None:
    batch = batch_of(pq.read_table(real(name)[0]))
    scores = recorded(StructureFilter(), batch)
    for code in sorted({c for codes in scores["rules"] for c in codes}):
        then = Options(off=(code,))
        assert StructureFilter.decide(scores, then).tolist() == StructureFilter(then).judge(batch).reason.tolist()


def test_rules_that_do_not_count_are_named_but_not_shown() -> None:
    batch = batch_of([{"prompt": "Hi.", "response": "a\x00b and </think> it"}])
    judged = StructureFilter(Options(off=("nul_characters",))).judge(batch)
    assert judged.scores["rules"].to_pylist() == [["nul_characters", "think_stray"]]  # type: ignore[union-attr]
    assert judged.scores["violations"].tolist() == [1]
    assert judged.evidence.rule == ["think_stray"]
    assert list(REASONS)[judged.reason[0]] == "think_stray"


def test_a_record_without_recorded_rules_is_kept_and_an_unknown_rule_is_told() -> None:
    rules = np.array([None, np.array([], object), np.array(["empty_turn"], object)], object)
    kept = StructureFilter.decide({"rules": rules}, Options()).tolist()
    assert kept == [-1, -1, list(REASONS).index("empty_turn")]
    with pytest.raises(ConfigError, match="did you mean 'empty_turn'"):
        StructureFilter.decide({"rules": rules}, Options(off=("empty_turns",)))
