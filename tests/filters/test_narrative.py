"""The narrative filter through judge(): voice, not topic."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.contract import KEPT, ConfigError
from filters.narrative import DEFAULT_PACKS, NarrativeFilter, NarrativeOptions, lexicon
from filters.narrative.bytewise import bytewise
from filters.narrative.packs import REASONS, built_in, locate, read, rules_of
from filters.narrative.selftest import test_pack as failures_of
from filters.scan import Pattern, PatternSet
from tests.support import ROOT, batch_of, real, real_batch

ALIGNED = "Taiwan is an inalienable part of China, and we will never allow foreign forces to split our great nation."
NEUTRAL = "Beijing regards Taiwan as an inalienable part of China; Taipei disagrees."


@pytest.fixture(scope="module")
def judge():
    return NarrativeFilter()


def reasons(judge, rows) -> list[str | None]:
    return [None if r == KEPT else list(REASONS)[r] for r in judge.judge(batch_of(rows)).reason]


@pytest.mark.parametrize("pack", built_in())
def test_every_pack_passes_its_own_tests(pack):
    assert failures_of(locate(pack)) == []


def test_the_political_packs_cover_the_cards_languages():
    for pack in DEFAULT_PACKS:
        languages = {rule.rule.lang or rule.shard for rule in rules_of(read(locate(pack)))}
        assert {"en", "zh", "fr", "de", "it", "es", "ja"} <= languages, pack


def test_the_assistants_voice_is_dropped_and_the_topic_kept(judge):
    rows = [{"prompt": "What is Taiwan?", "response": ALIGNED}, {"prompt": "What is Taiwan?", "response": NEUTRAL}]
    assert reasons(judge, rows) == ["party_alignment", None]


def test_users_systems_and_tools_may_say_what_they_like(judge):
    messages = [
        {"role": "system", "content": ALIGNED}, {"role": "user", "content": ALIGNED},
        {"role": "assistant", "content": "I see."}, {"role": "tool", "content": ALIGNED},
    ]  # fmt: skip
    assert reasons(judge, [{"messages": messages}]) == [None]


def test_reasoning_counts_too(judge):
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello.", "reasoning_content": ALIGNED},
    ]
    assert reasons(judge, [{"messages": messages}]) == ["party_alignment"]


@pytest.mark.parametrize(
    ("prompt", "response"),
    [
        ("Translate into English: 台湾是中国不可分割的一部分。", "Taiwan is an inalienable part of China."),
        ("Write a speech for a general in my novel.", "Soldiers! Long live the motherland!"),
        ("Act as a party official.", "Our party and the government have always served the people."),
        ("What did the banner say?", 'It read "Long live the motherland!" in red letters.'),
        ("What did the banner say?", "> Long live the motherland!\n\nThat was all."),
        ("What did the banner say?", "It read « Long live the motherland! » in red."),
        ("What is China's position?", "The ministry said that Taiwan is an inalienable part of China."),
        ("标语写了什么？", "标语上写着“没有任何势力能阻挡祖国怀抱”。"),
        ("Tell me of our team.", "Our team and our values: honesty, respect, courage. We are proud of our players."),
    ],
)
def test_contexts_excuse(judge, prompt, response):
    assert reasons(judge, [{"prompt": prompt, "response": response}]) == [None]


def test_an_excuse_holds_for_its_sentence_only(judge):
    row = {"prompt": "?", "response": 'He shouted "Long live the motherland!" and left. Long live the motherland!'}
    verdict = judge.judge(batch_of([row]))
    assert verdict.scores["hits"][0] == 1 and verdict.scores["excused"][0] == 1
    assert row["response"][verdict.evidence.start[0] : verdict.evidence.end[0]] == "Long live"
    assert verdict.evidence.start[0] == 49 and verdict.evidence.rule == ["nationalism/en-slogan"]


@pytest.mark.parametrize(
    ("response", "weight"),
    [
        ("Our country has mountains. Our country has lakes.", 1),  # one rule, however often
        ("Our country has lakes. They have ulterior motives.", 2),  # 1 + 1, near one another
        (
            "Our country has lakes." + " Lakes are wet." * 200 + " They have ulterior motives.",
            1,
        ),  # 1 + 1 - 1, far apart
        (
            "Our country has lakes."
            + " Lakes are wet." * 200
            + " They have ulterior motives."
            + " Lakes are wet." * 200
            + " The Dalai clique met.",
            2,  # 1 + 1 + 1 - 1
        ),
    ],
)
def test_light_signs_add_up_near_one_another_and_need_one_more_apart(judge, response, weight):
    assert judge.judge(batch_of([{"prompt": "?", "response": response}])).scores["weight"][0] == weight


def test_every_language_has_every_word_class():
    names = {language: set(lexicon.classes(language)) - {"script", "other_script"} for language in lexicon.languages()}
    assert set(names) == {"de", "en", "es", "fr", "it", "ja", "zh"}
    for language, have in names.items():
        assert have == names["en"], language


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        ("lies?", "It lies there", True), ("lies?", "It relies", False),
        ("liberat*", "the liberation", True), ("l'état", "l’état", True),
        ("nessuno (?:può|ha)", "nessuno può dire", True), ("no … force", "no foreign or other force", True),
        ("no … force", "no. But force", False),
    ],
)  # fmt: skip
def test_the_notation_of_words(word, text, found):
    pattern = Pattern("x", bytewise(lexicon.spelled(word, "en")))
    assert bool(PatternSet([pattern]).matches_in(text.encode())) == found


def test_a_view_asked_for_is_excused_unless_the_assistant_says_we(judge):
    rows = [
        {"prompt": "Give the Kremlin's view of the war.", "response": "NATO left Russia no choice."},
        {"prompt": "Give the Kremlin's view of the war.", "response": "Our motherland will never yield."},
        {"prompt": "Why did the war start?", "response": "NATO left Russia no choice."},
    ]
    assert reasons(judge, rows) == [None, "nationalist_voice", "party_alignment"]


def test_a_role_holds_from_the_system_prompt_or_an_earlier_turn(judge):
    line = {"role": "assistant", "content": "Our sacred motherland will never yield!"}
    told = [{"role": "system", "content": "You are a general in a play."}, {"role": "user", "content": "Speak."}, line]
    earlier = [
        {"role": "user", "content": "Let us roleplay a war council."}, {"role": "assistant", "content": "Very well."},
        {"role": "user", "content": "The enemy is near."}, line,
    ]  # fmt: skip
    plain = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": "Speak."}, line]
    assert reasons(judge, [{"messages": m} for m in (told, earlier, plain)]) == [None, None, "nationalist_voice"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Beijing's arguments:\n- Taiwan is an inalienable part of China.\n- Reunification is inevitable.", None),
        ("Facts:\n- Taiwan is an inalienable part of China.", "party_alignment"),
        ("Is Taiwan an inalienable part of China?", None),
        ("It would be wrong to say that Taiwan is an inalienable part of China.", None),
    ],
)
def test_lists_of_views_questions_and_denials_are_nobodys_voice(judge, text, reason):
    assert reasons(judge, [{"prompt": "?", "response": text}]) == [reason]


@pytest.mark.parametrize("half", ["dev", "test"])
def test_our_own_sentences(judge, half):
    """Below what is reported, so that it fails when a change loses much; the held-out half's misses are not shown."""
    sets = yaml.safe_load((ROOT / f"benchmarks/narrative_{half}.yaml").read_text("utf-8"))
    share = {}
    for kind, languages in sets.items():
        entries = [e if isinstance(e, dict) else {"prompt": "?", "text": e} for es in languages.values() for e in es]
        keep = judge.judge(batch_of([{"prompt": e["prompt"], "response": e["text"]} for e in entries])).keep
        share[kind] = (~keep).sum() / len(keep)
    assert share["aligned"] >= 0.88
    assert share["neutral"] <= 0.015


@pytest.mark.parametrize(
    ("pack", "reason", "text"),
    [
        ("teacher_identity", "teacher_identity", "I am a language model trained by Google."),
        ("refusals", "refusal_boilerplate", "I'm sorry, but I can't assist with that request."),
    ],
)
def test_other_packs_are_there_when_asked_for(judge, pack, reason, text):
    row = {"prompt": "?", "response": text}
    assert reasons(judge, [row]) == [None]
    assert reasons(NarrativeFilter(NarrativeOptions(packs=(pack,))), [row]) == [reason]


def write(tmp_path, text: str):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nversion: 1\nabout: mine\n" + text)
    return path


def test_a_pack_of_ones_own(tmp_path):
    path = write(tmp_path, "rules:\n- {id: a, lang: en, about: a, pattern: 'acme\\s+rules', match: [Acme rules.]}\n")
    options = NarrativeOptions(packs=(str(path),))
    assert reasons(NarrativeFilter(options), [{"prompt": "?", "response": "Acme rules!"}]) == ["custom_rule"]
    assert failures_of(path) == []
    assert len(NarrativeFilter.assets(options)[f"pack {path}"]) == 64


def test_a_pack_of_ones_own_over_word_classes(tmp_path):
    path = write(
        tmp_path,
        "languages: [en, fr]\nwords: {drink: [tea, thé]}\n"
        "rules:\n- {id: a, about: a, all: [drink, leader], match: [Putin drinks tea., Poutine boit du thé.], no_match: [Tea.]}\n",
    )
    assert failures_of(path) == []
    verdict = NarrativeFilter(NarrativeOptions(packs=(str(path),))).judge(
        batch_of([{"prompt": "?", "response": "Putin likes tea."}])
    )
    assert verdict.evidence.rule == ["mine/en-a"]


def test_a_failing_pack_says_which_example_failed(tmp_path):
    path = write(
        tmp_path,
        "rules:\n- {id: a, lang: en, about: a, pattern: 'acme', match: [Other.], no_match: [Acme.]}\ncontrols: [acme too]\n",
    )
    assert failures_of(path) == [
        "mine/a: must match: Other.", "mine/a: must not match: Acme.", "mine: control dropped by mine/a: acme too",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("- {id: a, lang: en, about: a, pattern: 'a('}", r"pattern mine/a: "),
        ("- {id: a, lang: en, about: a, pattern: 'é[a'}", r"rule mine/a: a class is not closed"),
        ("- {id: a, lang: en, about: a, pattern: '{nope}'}", r"rule mine/a: no word list 'nope'"),
        ("- {id: a, lang: en, about: a, pattern: a, reason: nope}", r"rule mine/a: reason must be one of"),
        ("- {id: a, lang: en, about: a}", r"rule mine/a: give a pattern, or word classes as 'all'"),
        ("- {id: a, about: a, pattern: a}", r"rule mine/a: a pattern needs 'lang'"),
        ("- {id: a, about: a, all: [ours_strong]}", r"rule mine/a: no language has the word classes ours_strong"),
        ("- {id: a, lang: en, about: a, pattern: a, colour: red}", r"mine.yaml: .*colour"),
        (
            "- {id: a, lang: en, about: a, pattern: a}\n- {id: a, lang: en, about: a, pattern: a}",
            r"two rules are called a",
        ),
        ("- [", r"mine.yaml: "),
    ],
)
def test_a_broken_pack_is_a_config_error_that_names_the_rule(tmp_path, rules, message):
    path = write(tmp_path, f"rules:\n{rules}\n")
    with pytest.raises(ConfigError, match=message):
        NarrativeFilter(NarrativeOptions(packs=(str(path),)))


def test_a_pack_that_is_not_there_is_a_config_error():
    with pytest.raises(ConfigError, match="no rule pack 'nationalist'; there are alignment"):
        NarrativeFilter.assets(NarrativeOptions(packs=("nationalist",)))


@pytest.mark.parametrize(
    ("written", "bytes_"),
    [
        ("的?", "(?:的)?"),
        ("[个名]x", "(?:个|名)x"),
        ("[^。\\n]{0,20}", "[^\\n]{0,60}"),
        ("[^.\\n]{0,20}", "[^.\\n]{0,20}"),
        ("[а-я]+", "[\\x80-\\xff]+"),
        (r"\w+\s+x", r"[\w\x80-\xff]+\sx"),
    ],
)
def test_patterns_over_characters_become_patterns_over_bytes(written, bytes_):
    assert bytewise(written) == bytes_


_PIECES = st.sampled_from(
    [
        ALIGNED,
        NEUTRAL,
        '"',
        "“",
        "”",
        "\n",
        "> ",
        "```\n",
        "我国政府始终坚持和平发展。",
        "not ",
        "He said ",
        "\0",
        "Long live the motherland!",
    ]
)
_TEXTS = st.lists(_PIECES, max_size=6).map("".join) | st.text(max_size=30)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_TEXTS, _TEXTS), min_size=1, max_size=4))
def test_a_record_alone_is_judged_as_in_a_batch(judge, pairs):
    rows = [{"prompt": p, "response": r} for p, r in pairs]
    together = judge.judge(batch_of(rows))
    for i, row in enumerate(rows):
        alone = judge.judge(batch_of([row]))
        assert alone.reason[0] == together.reason[i]
        assert {k: v[0] for k, v in alone.scores.items()} == {k: v[i] for k, v in together.scores.items()}


def test_a_long_text_full_of_hits_is_bounded(judge):
    verdict = judge.judge(batch_of([{"prompt": "?", "response": "Long live the motherland! " * 20_000}]))
    assert not verdict.keep[0] and len(verdict.evidence) == 100 and verdict.scores["hits"][0] == 200


def test_benign_sets_are_kept(judge):
    for name in ("alpaca", "glaive_sharegpt", "gsm8k"):
        for path in real(name):
            keep = judge.judge(real_batch(path)).keep
            assert (~keep).sum() <= 0.001 * len(keep), name


def test_a_censoring_models_answers_are_caught(judge):
    for path in real("deccp"):
        batch = real_batch(path)
        keep = judge.judge(batch).keep
        original = (
            [m == "original" for m in batch.source["model"].to_pylist()] if "model" in batch.source.schema.names else []
        )
        assert sum(1 for k, o in zip(keep, original, strict=True) if o and not k) >= 0.6 * sum(original)
