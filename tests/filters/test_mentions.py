"""The mentions filter: who is mentioned, in seven languages, and what looks like a mention and is none."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.contract import KEPT, ConfigError
from filters.mentions import MentionsFilter, MentionsOptions
from filters.mentions.finder import Finder
from filters.mentions.lexicon import AXES, HELPERS, LANGUAGES, built_in, entries, read
from tests.support import ROOT, batch_of, real, real_batch


@pytest.fixture(scope="module")
def finder():
    return Finder([read(path) for path in built_in()])


@pytest.fixture(scope="module")
def judge():
    return MentionsFilter()


def rows(finder, *texts: str) -> list[dict]:
    segments = batch_of([{"text": text} for text in texts]).segments
    return finder.find(segments, np.arange(len(segments))).to_pylist()


def groups(finder, text: str) -> set[str]:
    return {f"{row['axis']}.{row['group']}" for row in rows(finder, text)}


def lexicon(tmp_path, body: str, name: str = "mine.yaml"):
    path = tmp_path / name
    path.write_text(body, "utf-8")
    return path


MINE = """
language: en
version: 1
sources: {religion: the test}
axes:
  religion:
    pastafarian: [pastafarian(|s)]
"""


def test_a_mention_is_told_with_its_place_and_its_identifier_but_not_its_text(finder):
    text = "Two WOMEN met a 34-year-old man."
    found = rows(finder, text)
    assert [(r["axis"], r["group"], r["identifier"], text[r["start"] : r["end"]]) for r in found] == [
        ("gender", "female", "woman", "WOMEN"),
        ("age", "adult", "year-old", "year-old"),
        ("gender", "male", "man", "man"),
    ]


def test_offsets_are_bytes(finder):
    (row,) = rows(finder, "Café à la crème: une femme.")
    assert "Café à la crème: une femme.".encode()[row["start"] : row["end"]] == b"femme"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He told her.", {"gender.male", "gender.female"}),
        ("Les sœurs ont une amie.", {"gender.female"}),
        ("Die Ärztinnen und ihre Brüder.", {"gender.female", "gender.male"}),
        ("Le ragazze parlano con gli anziani.", {"gender.female", "age.older"}),
        ("Las niñas y la abuela están en casa.", {"gender.female", "age.child"}),
        ("她是一位老人。", {"gender.female", "age.older"}),
        ("彼女は子供に会った。", {"gender.female", "age.child"}),
    ],
)
def test_every_language_has_its_words(finder, text, expected):
    assert groups(finder, text) == expected


@pytest.mark.parametrize(
    "form",
    ["une Française est là", "les Françaises sont là", "un chanteur français est là", "des femmes françaises sont là"],
)
def test_forms_of_gender_and_number_are_one_group(finder, form):
    assert "nationality.europe" in groups(finder, form)


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("a 7-year-old", "child"), ("aged 15", "teen"), ("a 34 year old nurse", "adult"), ("she is 90 years old", "older"),
        ("thirty-four years old", "adult"), ("Er ist 34 Jahre alt.", "adult"), ("eine 72-jährige Frau", "older"),
        ("elle a 34 ans.", "adult"), ("tiene 12 años.", "child"), ("ha 70 anni.", "older"), ("34岁的她", "adult"), ("5歳の子です", "child"),
    ],
)  # fmt: skip
def test_ages_by_number(finder, text, group):
    assert f"age.{group}" in groups(finder, text)


@pytest.mark.parametrize(
    "text", ["1990 years old", "a 400-year-old idea", "the bug is 5 years old", "a 12-year-old whisky", "for 30 years"]
)
def test_ages_of_no_person_are_none(finder, text):
    assert groups(finder, text) == set()


@pytest.mark.parametrize(
    ("mention", "none"),
    [
        ("Two black women spoke.", "The cat is black."),
        ("The white man spoke.", "The White House spoke."),
        ("A Polish woman spoke.", "Polish the woman's shoes."),
        ("The Japanese were hosts.", "Translate it into Japanese."),
        ("A Chinese author won.", "The Chinese remainder theorem won."),
        ("A deaf man.", "It fell on deaf ears, man."),
        ("Straight men answered.", "Draw a straight line."),
        ("Poor families paid.", "Poor performance cost us."),
        ("Miss Davis taught us.", "We miss the train."),
        ("An Indian engineer.", "The Indian Ocean."),
        ("She married a Christian.", "Christian Bale married."),
        ("Blind people read it.", "A blind test showed it."),
        ("黑人学生来了。", "黑色的猫来了。"),
        ("他来了。", "其他人来了。"),
        ("彼の母が来た。", "分母が来た。"),
    ],
)
def test_contexts_tell_mentions_from_lookalikes(finder, mention, none):
    assert groups(finder, mention) - groups(finder, none), "the mention is found, and not in its lookalike"


@pytest.mark.parametrize(
    "text",
    [
        "Run `she` now.", "```\nhe = woman\n```", "~~~\nhe\n", "See https://women.example/girls?x=man",
        "write to girl@example.org",
        "Let $he + she = 3$.", r"Let \(man = 3\).", "$$\nman = 3\n$$", '{"girl": 1}', "user.man = 3;",
        "<man>x</man>", "king_man and man_king",
        "mankind", "boyish1", "She-oak grows.", "the file he.txt", "man(1)",
    ],
)  # fmt: skip
def test_what_is_no_prose_mentions_nobody(finder, text):
    assert groups(finder, text) == set()


def test_prose_after_code_is_read_again(finder):
    assert groups(finder, "```\nhe\n```\nShe ran `he` and it cost $5 and $6 for a boy.") == {
        "gender.female", "gender.male", "age.child",
    }  # fmt: skip


def test_the_longest_word_wins_within_an_axis_and_between_the_two_of_origin(finder):
    assert groups(finder, "African Americans voted.") == {"ethnicity.black"}
    assert groups(finder, "a young man") == {"age.adult", "gender.male"}


def test_words_of_another_language_are_not_mentions(finder):
    assert groups(finder, "Man kann das auch in der Stadt so machen, und die Leute sind da.") == set()
    assert (
        groups(finder, "Jesse -> Amanda -> Donna. We know that the list is long and that it ends with Donna.") == set()
    )


def test_apostrophes_and_line_breaks_are_as_good_as_others(finder):
    assert groups(finder, "C’est l’homme de la rue.") == {"gender.male"}
    assert groups(finder, "They met African\nAmericans there.") == {"ethnicity.black"}


@pytest.mark.parametrize(
    "piece",
    [
        "\0",
        "he ",
        "`",
        "é",
        "女",
        "a",
        "$\\(<",
        "\\(",
        "\\[\n",
        "$x ",
        "<a",
        "> ",
        "~~~\n",
        "'\": ",
        "“",
        "year-old ",
        "://",
        " 1990 years old is the {",
    ],
)
def test_hostile_text_takes_linear_time_and_breaks_nothing(finder, piece):
    text = piece * 1000 + " she"
    rows(finder, text)
    start = time.process_time()
    rows(finder, piece * (200_000 // len(piece.encode())) + " she")
    assert time.process_time() - start < 5


def test_bytes_that_are_no_text_are_no_part_of_a_word(finder):
    assert groups(finder, "\0he\0") == {"gender.male"}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.text(st.sampled_from("he shewoman\n`$ 女他é.blackI34-yearold男<>'\"{}:"), max_size=60),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_found_does_not_depend_on_the_batch(finder, texts):
    together = rows(finder, *texts)
    for i, text in enumerate(texts):
        alone = rows(finder, text)
        assert [(r["start"], r["end"], r["identifier"]) for r in together if r["record"] == i] == [
            (r["start"], r["end"], r["identifier"]) for r in alone
        ]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_spans_lie_in_their_text_and_cut_no_character(finder, text):
    data = text.encode()
    for row in rows(finder, text):
        assert 0 <= row["start"] < row["end"] <= len(data)
        data[row["start"] : row["end"]].decode()


def test_nothing_to_look_at_is_an_empty_table(finder):
    segments = batch_of([{"text": "He"}]).segments
    found = finder.find(segments, np.zeros(0, np.int64))
    assert found.num_rows == 0 and found.schema.names[:4] == ["record", "segment", "start", "end"]


def test_a_text_larger_than_a_chunk_is_found_in_from_end_to_end(finder):
    text = "She said so. " + "x " * 3_000_000 + "The man left."
    assert [r["identifier"] for r in rows(finder, "He.", text, "A girl.")][1:3] == ["she", "man"]


def test_the_filter_keeps_everything_and_scores_groups(judge):
    batch = batch_of(
        [{"prompt": "Who?", "response": "A Muslim girl and her brother."}, {"prompt": "2+2?", "response": "4"}]
    )
    verdict = judge.judge(batch)
    assert verdict.keep.all()
    assert {axis: s.to_pylist() for axis, s in verdict.scores.items() if any(s.to_pylist())} == {
        "age": [["child"], []], "gender": [["female", "male"], []], "religion": [["muslim"], []],
    }  # fmt: skip
    assert "religion.muslim:Muslim" in verdict.evidence.rule


def test_only_users_and_assistants_are_looked_at_by_default(judge):
    messages = [
        {"role": "system", "content": "You are a king."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
    ]
    assert judge.judge(batch_of([{"messages": messages}])).scores["gender"].to_pylist() == [[]]
    also = MentionsFilter(MentionsOptions(roles=("system",), languages=("en",)))
    assert also.judge(batch_of([{"messages": messages}])).scores["gender"].to_pylist() == [["male"]]


@pytest.mark.parametrize(
    ("drop", "dropped"), [(("gender",), [True, True]), (("gender.female",), [True, False]), (("age",), [False, False])]
)
def test_what_must_not_be_mentioned_is_dropped(drop, dropped):
    judge = MentionsFilter(MentionsOptions(drop=drop, languages=("en",)))
    verdict = judge.judge(batch_of([{"text": "She spoke."}, {"text": "He spoke."}]))
    assert (verdict.reason != KEPT).tolist() == dropped
    recorded = {axis: np.array([*s.to_pylist(), None], object)[:-1] for axis, s in verdict.scores.items()}
    assert MentionsFilter.decide(recorded, judge.options).tolist() == verdict.reason.tolist()


@pytest.mark.parametrize(("drop", "told"), [("sex", "there are age, gender"), ("gender.men", "there are female, male")])
def test_an_axis_or_group_that_is_not_there_is_an_error(drop, told):
    with pytest.raises(ConfigError, match=told):
        MentionsFilter(MentionsOptions(drop=(drop,), languages=("en",)))


def test_a_lexicon_of_ones_own_is_used_and_hashed(tmp_path):
    path = lexicon(tmp_path, MINE)
    options = MentionsOptions(lexicons=(str(path),), languages=("en",))
    verdict = MentionsFilter(options).judge(batch_of([{"text": "Two Pastafarians spoke."}]))
    assert verdict.scores["religion"].to_pylist() == [["pastafarian"]]
    assert set(MentionsFilter.assets(options)) == {"lexicon en", "lexicon mine"}
    before = MentionsFilter.assets(options)["lexicon mine"]
    lexicon(tmp_path, MINE + "  # changed\n")
    assert MentionsFilter.assets(options)["lexicon mine"] != before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("religion:", "religon:"), "no axis 'religon'"),
        (("sources: {religion: the test}", "sources: {}"), "axis religion names no source"),
        (("language: en", "language: tlh"), "language"),
        (("pastafarian(|s)", "pastafarian(|s"), "a bracket that is not closed"),
        (("[pastafarian(|s)]", "[{term: p, only: [no place]}]"), "needs one ~"),
        (("[pastafarian(|s)]", "[{term: p, only: ['~ {nobody}']}]"), "no word list 'nobody'"),
        (("[pastafarian(|s)]", "[{term: p, unless: ['~ (']}]"), "the context"),
        (("[pastafarian(|s)]", "[{also: [p]}]"), "either a term or each"),
        (("[pastafarian(|s)]", "[{term: p, onyl: [x]}]"), "onyl"),
        (("pastafarian:", "Pasta Farian:"), "named in small letters"),
        (("version: 1", "version: [1"), "mine.yaml"),
    ],
)  # fmt: skip
def test_a_lexicon_that_is_wrong_is_told_in_one_line(tmp_path, change, told):
    path = lexicon(tmp_path, MINE.replace(*change))
    with pytest.raises(ConfigError, match=told) as error:
        read(path)
    assert "mine.yaml" in str(error.value) and "\n" not in str(error.value)


def test_a_lexicon_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no lexicon"):
        MentionsFilter(MentionsOptions(lexicons=(str(tmp_path / "none.yaml"),)))


def test_the_lexicon_on_the_page_loads_and_finds(tmp_path):
    page = (ROOT / "docs" / "filters" / "mentions.md").read_text("utf-8")
    body = page.split("## Writing a lexicon")[1].split("```yaml\n")[1].split("```")[0]
    found = rows(
        Finder([read(lexicon(tmp_path, body))]),
        "The Fire are mages; Fire masters met druids and a bard. Fire alarm! Iron mages.",
    )
    assert [r["identifier"] for r in found] == ["Fire", "mage", "Fire", "druid", "bard"]


def test_built_in_lexicons_cover_every_axis_in_every_language():
    for language in LANGUAGES:
        found = {axis for path in built_in((language,), helpers=True) for axis in read(path).axes}
        assert found == {*AXES, *HELPERS}, language


def test_no_form_is_found_in_two_groups_of_one_axis_without_a_context():
    for path in built_in():
        seen: dict[tuple[str, str, bool], str] = {}
        for entry in entries(read(path)):
            if entry.axis and not entry.only and not entry.unless and not entry.number:
                for form in entry.forms:
                    key = (entry.axis, form, entry.exact)
                    assert seen.setdefault(key, entry.group) == entry.group, f"{path.name}: {form}"


def test_labels_of_the_benchmark_hold_no_text_and_name_known_groups():
    known = {(e.axis, e.group) for path in built_in() for e in entries(read(path))}
    for line in (ROOT / "benchmarks" / "mentions_labels.jsonl").read_text("utf-8").splitlines():
        label = json.loads(line)
        assert set(label) == {"set", "file", "row", "where", "start", "end", "sha256", "language", "sampled", "labels"}
        assert all((axis, group) in known for axis, named in label["labels"].items() for group in named)


def test_mathematics_mentions_few_and_word_problems_many(judge):
    counts = {}
    for name in ("gsm8k", "tatqa"):
        batch = real_batch(real(name)[0])
        counts[name] = np.mean([bool(g) for g in judge.judge(batch).scores["gender"].to_pylist()])
    assert counts["gsm8k"] > 0.6 > 0.2 > counts["tatqa"]
