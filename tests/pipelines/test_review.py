"""Findings to people and their verdicts back."""

from __future__ import annotations

import json
import shutil
import stat

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.review.sample import allocate
from tests.pipelines.conftest import Command, manifest

RECIPE = "name: reviewed\nfilters:\n  - pii: {domain: [contact]}\n"
PEOPLE = [f"person{i}@mail-{i % 7}.net" for i in range(40)]
PHONES = [f"+44 20 7183 8{i:03d}" for i in range(12)]


@pytest.fixture(scope="module")
def corpusmill(tmp_path_factory) -> Command:
    command = Command(tmp_path_factory.mktemp("review"))
    command.recipe.write_text(RECIPE, "utf-8")
    return command


@pytest.fixture(scope="module")
def people(corpusmill):
    """Forty records with an address, after emoji and ideographs; in twelve the model answers with a telephone number."""
    folder = corpusmill.home / "people"
    folder.mkdir()
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"👩‍👩‍👧 写信给 {PEOPLE[i]} é"},
                {"role": "assistant", "content": f"Please call {PHONES[i]} by phone." if i < 12 else "Done."},
            ]
        }
        for i in range(40)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    return folder


@pytest.fixture(scope="module")
def made(corpusmill, people):
    corpusmill.run(people, corpusmill.home / "out")
    return corpusmill.home / "out"


@pytest.fixture
def out(made, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(made, tmp_path / "out")
    return tmp_path / "out"


def export(corpusmill, out, to, *arguments) -> list[dict]:
    corpusmill("review", "export", out, "--to", to, *arguments)
    return json.loads(to.read_text("utf-8"))


def judged(tasks: list[dict], verdict) -> list[dict]:
    """The tasks as Label Studio exports them, with one annotation each."""
    return [
        {"id": i, "data": t["data"], "annotations": [annotation(verdict(t["data"]))], "predictions": []}
        for i, t in enumerate(tasks)
    ]


def annotation(verdict: str) -> dict:
    value = {"choices": [verdict]}
    return {
        "was_cancelled": False,
        "result": [{"from_name": "verdict", "to_name": "text", "type": "choices", "value": value}],
    }


def test_tasks_show_the_finding_where_it_stands(corpusmill, made, tmp_path):
    tasks = export(corpusmill, made, tmp_path / "review.json")
    assert {t["data"]["value"] for t in tasks} == {*PEOPLE, *PHONES}
    for task in tasks:
        [marked] = task["predictions"][0]["result"]
        place = marked["value"]
        assert task["data"]["text"][place["start"] : place["end"]] == place["text"] == task["data"]["value"]
        row = int(task["data"]["record"].rpartition(":")[2])
        assert task["data"]["value"] in (PEOPLE[row], PHONES[row] if row < 12 else None)


def test_the_files_are_private_and_never_overwritten(corpusmill, made, tmp_path):
    said = corpusmill("review", "export", made, "--to", tmp_path / "review.json")
    assert "0600" in said
    for name in ("review.json", "review.xml"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    before = (tmp_path / "review.json").read_bytes()
    assert b"holds personal data" in before
    assert "is there already" in corpusmill("review", "export", made, "--to", tmp_path / "review.json", code=2)
    assert (tmp_path / "review.json").read_bytes() == before
    assert "inside the dataset" in corpusmill("review", "export", made, "--to", made / "r.json", code=2)


def test_the_sample_is_seeded_and_stratified(corpusmill, made, tmp_path):
    first, again, other = (
        [t["data"]["key"] for t in export(corpusmill, made, tmp_path / f"{i}.json", "--size", "10", "--seed", seed)]
        for i, seed in enumerate(["0", "0", "1"])
    )
    assert first == again != other
    rules = [t["data"]["rule"].partition(":")[0] for t in json.loads((tmp_path / "0.json").read_text("utf-8"))]
    assert rules.count("EMAIL_ADDRESS") == rules.count("PHONE_NUMBER") == 5


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 50), max_size=6), st.integers(1, 120))
def test_allocation_is_as_even_as_the_strata_allow(population, size):
    share = allocate(population, size)
    assert sum(share.values()) == min(size, sum(population.values()))
    for rule, n in share.items():
        assert n <= population[rule]
        assert n == population[rule] or n >= max(share.values()) - 1


def test_verdicts_become_precision_with_an_interval(corpusmill, out, tmp_path):
    tasks = export(corpusmill, out, tmp_path / "review.json")
    told = judged(tasks, lambda d: "refuted" if d["value"] in PEOPLE[:4] else "confirmed")
    (tmp_path / "verdicts.json").write_text(json.dumps(told), "utf-8")
    corpusmill("review", "import", out, tmp_path / "verdicts.json")
    entities = manifest(out)["review"]["pii"]["entities"]
    emails = entities["EMAIL_ADDRESS"]
    assert (emails["findings"], emails["confirmed"], emails["refuted"]) == (40, 36, 4)
    # Everything was looked at, so the interval is a point.
    assert emails["precision"] == {"estimate": 0.9, "low": 0.9, "high": 0.9}
    assert entities["PHONE_NUMBER"]["precision"]["estimate"] == 1
    corpusmill("verify", out)
    assert "What people said" in (out / "report.html").read_text("utf-8")
    published = b"".join(p.read_bytes() for p in (out / "manifest.json", out / "report.html", out / "run.json"))
    assert not any(value.encode() in published for value in PEOPLE + PHONES)


def test_a_sample_leaves_an_interval_and_the_next_run_keeps_the_review(corpusmill, out, people, tmp_path):
    tasks = export(corpusmill, out, tmp_path / "review.json", "--size", "20")
    (tmp_path / "v.json").write_text(json.dumps(judged(tasks, lambda d: "confirmed")), "utf-8")
    corpusmill("review", "import", out, tmp_path / "v.json")
    before = manifest(out)
    precision = before["review"]["pii"]["entities"]["EMAIL_ADDRESS"]["precision"]
    assert precision["estimate"] == precision["high"] == 1
    assert 0.5 < precision["low"] < 0.95
    assert "nothing to do" in corpusmill.run(people, out)
    assert manifest(out) == before
    corpusmill.run(people, out, "--set", "pii.action=mask")
    assert "review" not in manifest(out)


def test_disagreement_is_unsure_and_a_skipped_task_says_nothing(corpusmill, out, tmp_path):
    tasks = export(corpusmill, out, tmp_path / "review.json")
    told = judged(tasks, lambda d: "confirmed")
    told[0]["annotations"].append(annotation("refuted"))
    told[1]["annotations"][0]["was_cancelled"] = True
    (tmp_path / "v.json").write_text(json.dumps(told), "utf-8")
    corpusmill("review", "import", out, tmp_path / "v.json")
    entities = manifest(out)["review"]["pii"]["entities"].values()
    assert sum(e["unsure"] for e in entities) == 1
    assert sum(e["confirmed"] for e in entities) == len(tasks) - 2


def test_the_flat_export_is_understood_too(corpusmill, out, tmp_path):
    tasks = export(corpusmill, out, tmp_path / "review.json")
    flat = [{**t["data"], "id": i, "verdict": "unsure"} for i, t in enumerate(tasks)]
    (tmp_path / "v.json").write_text(json.dumps(flat), "utf-8")
    corpusmill("review", "import", out, tmp_path / "v.json")
    assert manifest(out)["review"]["pii"]["entities"]["EMAIL_ADDRESS"]["precision"] is None


def test_refuted_values_are_left_alone_by_the_next_run(corpusmill, out, people, tmp_path):
    tasks = export(corpusmill, out, tmp_path / "review.json")
    verdict = {PEOPLE[0]: "refuted", PHONES[0]: "refuted"}
    (tmp_path / "v.json").write_text(json.dumps(judged(tasks, lambda d: verdict.get(d["value"], "confirmed"))), "utf-8")
    allow = tmp_path / "allow.json"
    said = corpusmill("review", "import", out, tmp_path / "v.json", "--allow", allow)
    assert "2 refuted values" in said
    assert not any(value in allow.read_text("utf-8") for value in PEOPLE + PHONES)
    corpusmill.run(people, tmp_path / "next", "--set", f"pii.allow_file={allow}")
    kept = pq.read_table(tmp_path / "next" / "data" / "a.parquet")["messages"].to_pylist()
    assert PEOPLE[0] in kept[0][0]["content"]
    assert PHONES[0] in kept[0][1]["content"]
    assert not any(value in str(kept) for value in PEOPLE[1:] + PHONES[1:])
    allowed = json.loads(allow.read_text("utf-8"))
    corpusmill("review", "import", out, tmp_path / "v.json", "--allow", allow)
    assert json.loads(allow.read_text("utf-8")) == allowed


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not JSON"),
        ("{}", "not a list of tasks"),
        ("[1]", "not a list of tasks"),
        ('[{"data": {"text": "x"}}]', "not one of ours"),
        ("[]", "nothing was reviewed"),
    ],
)
def test_a_file_that_is_no_export_is_refused_in_one_line(corpusmill, made, tmp_path, content, said):
    (tmp_path / "v.json").write_text(content, "utf-8")
    told = corpusmill("review", "import", made, tmp_path / "v.json", code=2)
    assert said in told
    assert len(told.strip().splitlines()) == 1


def test_verdicts_about_another_recipes_findings_are_refused(corpusmill, made, tmp_path):
    tasks = export(corpusmill, made, tmp_path / "review.json")
    for task in tasks:
        task["data"]["recipe"] = "0" * 64
    (tmp_path / "v.json").write_text(json.dumps(judged(tasks, lambda d: "confirmed")), "utf-8")
    assert "another recipe" in corpusmill("review", "import", made, tmp_path / "v.json", code=2)


def test_an_input_that_changed_is_not_shown_as_what_was_read(corpusmill, made, people, tmp_path):
    shutil.copytree(people, tmp_path / "moved")
    export(corpusmill, made, tmp_path / "a.json", "--input", tmp_path / "moved")
    table = pq.read_table(people / "a.parquet")
    pq.write_table(table.slice(1), tmp_path / "moved" / "a.parquet")
    command = ("review", "export", made, "--to", tmp_path / "b.json", "--input", tmp_path / "moved")
    assert "another file" in corpusmill(*command, code=2)
    assert not (tmp_path / "b.json").exists()


@pytest.mark.slow
def test_label_studio_takes_the_page_and_the_tasks(corpusmill, made, tmp_path):
    interface = pytest.importorskip(
        "label_studio_sdk.label_interface", reason="make test-all installs label-studio-sdk"
    )
    tasks = export(corpusmill, made, tmp_path / "review.json")
    page = interface.LabelInterface((tmp_path / "review.xml").read_text("utf-8"))
    page.validate()
    for task in tasks:
        assert page.validate_task({"data": task["data"]})
        for prediction in task["predictions"]:
            assert page.validate_prediction(prediction)
        assert page.validate_annotation(annotation("confirmed"))
