"""The whole chain on real data: six datasets curated, one made from two of them, one with an opt-out; audited, carded, followed back."""

from __future__ import annotations

import json
from pathlib import Path

import mlcroissant
import pyarrow.parquet as pq
import pytest
import yaml

from tests.pipelines.conftest import Command, manifest
from tests.support import real, real_batch

pytestmark = pytest.mark.slow

SETS = {
    "alpaca": ("public", "Apache-2.0", "https://github.com/hiyouga/LLaMA-Factory"),
    "gsm8k": ("public", "MIT", "https://github.com/openai/grade-school-math"),
    "glaive_sharegpt": ("synthetic", "Apache-2.0", "https://github.com/hiyouga/LLaMA-Factory"),
    "mgsm": ("public", "CC-BY-4.0", "https://github.com/google-research/url-nlp"),
    "sealtools": ("synthetic", "Apache-2.0", "https://github.com/fairyshine/Seal-Tools"),
    "tatqa": ("public", "CC-BY-4.0", "https://github.com/NExTplusplus/TAT-QA"),
}


def recipe(name: str, *filters: object) -> str:
    """structure, language, narrative, licence, mentions and pii over one set, with what a machine cannot know declared."""
    origin, licence, url = SETS[name]
    made = {"generator_models": ["not named"], "seed_datasets": []} if origin == "synthetic" else {}
    document = {
        "name": name,
        "about": {"title": name, "description": f"The published set {name}.", "origin": origin, "urls": [url], "licence": licence, **made},
        "filters": [
            "structure", "language", "narrative", {"licence": {"declared": licence}}, "mentions", *filters,
            {"pii": {"entities": ["EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD"]}},
        ],
    }  # fmt: skip
    return yaml.safe_dump(document)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Six curated sets, and ``mixed``, made from two of them."""
    home = tmp_path_factory.mktemp("chain")
    corpusmill = Command(home)
    gone = home / "gone.txt"
    gone.write_text("\n".join(ids(real("glaive_sharegpt")[0])[:5]) + "\n", "utf-8")
    for name in SETS:
        extra = [{"optout": {"lists": [{"path": str(gone), "kind": "id"}]}}] if name == "glaive_sharegpt" else []
        path = home / f"{name}.yaml"
        path.write_text(recipe(name, *extra), "utf-8")
        corpusmill.run(real(name)[0].parent, home / f"set-{name}", recipe=path)
    mixed = home / "mixed.yaml"
    mixed.write_text("name: mixed\nfilters: [structure, language, {licence: {declared: MIT}}, pii]\n", "utf-8")
    corpusmill.run(home / "set-[gm]*[km]" / "data" / "*.parquet", home / "mixed", recipe=mixed)
    corpusmill(
        "audit",
        *(home / f"set-{name}" for name in SETS),
        home / "mixed",
        "--size",
        "300",
        "--record",
        "--to",
        home / "audit",
    )
    return home


def ids(path: Path) -> list[str]:
    """Ids as annotations show them: the source's own, or ours."""
    return real_batch(path).ids.to_pylist()


def test_every_set_is_whole_and_loads(home, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    corpusmill = Command(home)
    for out in [*(home / f"set-{n}" for n in SETS), home / "mixed"]:
        assert "as the manifest says" in corpusmill("verify", out)
        told = manifest(out)
        names = datasets.get_dataset_config_names(str(out))
        loaded = [datasets.load_dataset(str(out), n, split="train", cache_dir=str(home / "cache")) for n in names]
        assert sum(map(len, loaded)) == told["records"]["kept"] > 0
        croissant = mlcroissant.Dataset(jsonld=str(out / "croissant.json"))
        assert not croissant.metadata.ctx.issues.errors
        assert told["audit"]["looked_at"] == min(300, told["records"]["kept"])
    files = pq.read_table(home / "set-glaive_sharegpt" / "rejected")
    gone = (home / "gone.txt").read_text("utf-8").split()
    wanted = sum(i in gone for i in ids(real("glaive_sharegpt")[0]))  # copies of a text have its id
    assert sum("opted_out_id" in reasons for reasons in files["reasons"].to_pylist()) == wanted >= 5


def test_the_mixture_knows_its_parents_and_says_when_one_has_changed(home):
    corpusmill = Command(home)
    tree = json.loads(corpusmill("lineage", home / "mixed", "--json"))
    assert sorted(p["name"] for p in tree["parents"]) == ["gsm8k", "mgsm"]
    gone = home / "later.txt"
    gone.write_text(pq.read_table(home / "set-gsm8k" / "annotations")["record_id"][0].as_py() + "\n", "utf-8")
    corpusmill("forget", home / "set-gsm8k", "--match", gone, "--kind", "id")
    assert "records were forgotten" in corpusmill("lineage", home / "mixed", code=3)


def test_the_card_counts_every_set(home):
    corpusmill = Command(home)
    outs = [home / f"set-{n}" for n in SETS]
    card = corpusmill("card", *outs)
    for name in SETS:
        assert name in card
    assert card.index("ublic") < card.index("ynthetic")
    summary = corpusmill("card", *outs, "--format", "eu-summary")
    assert all(f"2.{n}" in summary for n in range(1, 7))
    told = json.loads(corpusmill("card", *outs, "--format", "json"))
    assert told
