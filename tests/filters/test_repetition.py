"""What the repetition filter rejects and what it lets pass, with the arithmetic of each bound."""

from __future__ import annotations

import random
import sysconfig
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import long_texts
from filters.batch import CONTENT, REASONING
from filters.contract import EVIDENCE_LIMIT, KEPT, Judgement
from filters.repetition import RepetitionFilter
from filters.repetition.options import REASONS, RULES, SCORES, Options, decide
from pipelines.schemas.read import read
from pipelines.schemas.recognise import recognise
from tests.support import batch_of, real, real_batch

FILTER = RepetitionFilter()
SENTENCE = "Wait, let me check the second equation once more before going on."
VOWELS, CONSONANTS = "aeiou", "bdfgklmnprstvz"


def word(n: int) -> str:
    """A pronounceable word for each number, different for different numbers."""
    out = ""
    while True:
        n, c = divmod(n, len(CONSONANTS))
        n, v = divmod(n, len(VOWELS))
        out += CONSONANTS[c] + VOWELS[v]
        if not n:
            return out + "x"


def prose(words: int, seed: int = 0) -> str:
    """So many words drawn at random from 3,000: no six in a row come twice."""
    rng = np.random.default_rng(seed)
    drawn = [word(int(i)) for i in rng.integers(0, 3000, words)]
    return " ".join(w + "." if i % 12 == 11 else w for i, w in enumerate(drawn))


def judged(*texts: str, options: Options | None = None) -> Judgement:
    return (RepetitionFilter(options) if options else FILTER).judge(batch_of([{"text": t} for t in texts]))


def reason(text: str, options: Options | None = None) -> str | None:
    found = int(judged(text, options=options).reason[0])
    return None if found == KEPT else list(REASONS)[found]


def score(text: str, name: str) -> float:
    return float(judged(text).scores[name][0])


def spans(text: str, rule: str) -> list[str]:
    """The texts that evidence of one rule points at."""
    evidence, raw = judged(text).evidence, text.encode()
    return [raw[a:b].decode() for a, b, r in zip(evidence.start, evidence.end, evidence.rule, strict=True) if r == rule]


PLANTED = {
    "a word x5000": (prose(200) + "\n", "again " * 5000, "", "loop"),
    "a sentence x25": (prose(200) + "\n", (SENTENCE + " ") * 25, prose(200, 1), "loop"),
    "two sentences x300": ("", f"{SENTENCE} No, that was fine. " * 300, "", "loop"),
    "no punctuation": (prose(300) + " ", "so the answer must be four " * 40, "", "loop"),
    "single newlines": (prose(300) + "\n", "Let me try again\n" * 60, prose(200, 1), "loop"),
    "a counter x3000": (
        prose(100) + "\n", "".join(f"Step {i}: check the result again.\n" for i in range(1, 3001)), "", "counter_loop",
    ),
    "Chinese x500": ("我们先看题目。", "等一下，让我再检查一遍这个答案。" * 500, "", "loop"),
    "Thai x200": ("", "ขอตรวจสอบคำตอบอีกครั้งหนึ่ง " * 200, "", "loop"),
    "180 words after 1,500 good ones": (prose(1500) + "\n\n", (prose(180, 7) + "\n\n") * 5, "", "loop"),
    "in the middle, with a good ending": (
        prose(1500) + "\n", (SENTENCE + "\n") * 50, prose(1500, 2) + "\nThe answer is 4.", "loop",
    ),
    "signs only": (prose(100) + "\nX ", "-> ... " * 2000, "Y", "loop"),
    "newlines only": (prose(100), "\n" * 50_000, prose(100, 1), "loop"),
    "one letter": (prose(100) + " ", "a" * 50_000, " " + prose(100, 1), "loop"),
    "a cycle of 20 steps": ("", "".join(f"{i}. {word(i)} {word(i + 50)} {word(i + 90)}\n" for i in range(20)) * 30, "", "loop"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_loop_is_found_and_pointed_at(name: str) -> None:
    before, loop, after, expected = PLANTED[name]
    text = before + loop + after
    assert reason(text) == expected
    evidence = judged(text).evidence
    whole = next(i for i, rule in enumerate(evidence.rule) if rule == expected)
    low, high = len(before.encode()), len((before + loop).encode())
    unit = len(loop.encode()) // 10
    assert low - 16 <= evidence.start[whole] <= low + unit, "the span starts where the loop does"
    assert high - unit <= evidence.end[whole] <= high + 16, "and ends with it"


def names_chain(links: int) -> str:
    """The growing chain: at every step the whole of it is written again, one link longer."""
    names = [word(i).capitalize() for i in range(links + 1)]
    lines = []
    for i in range(1, links + 1):
        lines.append(f"Statement {i * 7 % 101} says that {names[i]} descends from {names[i - 1]}, so we go on.")
        lines.append("Chain: " + " -> ".join(names[: i + 1]))
    return "\n\n".join(lines)


def truth_table(variables: int) -> str:
    header = "| " + " | ".join("ABCDEFGH"[:variables]) + " | out |\n" + "|---" * (variables + 1) + "|\n"
    rows = []
    for n in range(1 << variables):
        bits = [n >> (variables - 1 - k) & 1 for k in range(variables)]
        rows.append("| " + " | ".join("FT"[b] for b in bits) + f" | {'FT'[sum(bits) % 2]} |")
    return header + "\n".join(rows)


LEGITIMATE = {
    "prose": prose(5000),
    "a growing chain": names_chain(120),
    "a truth table": truth_table(8),
    "a truth table of digits": truth_table(7).replace("T", "1").replace("F", "0"),
    "a truth table of words": truth_table(8).replace("T", "true").replace("F", "false"),
    "a numbered list": "\n".join(f"{i}. {word(i * 13)} {word(i * 7)}" for i in range(1, 400)),
    "a list with one sentence frame": "\n".join(
        f"- {word(i).capitalize()} does not appear in the list of the second group." for i in range(200)
    ),
    "a multiplication table": "\n".join(f"{a} x {b} = {a * b}" for a in range(1, 13) for b in range(1, 13)),
    "cases of a function": "\n".join(f"    if x == {i}:\n        return {i}" for i in range(150)),
    "a list of branches": "\n".join(f"if x == {i}: return {i}" for i in range(150)),
    "a zero matrix as code": "```python\nm = [\n" + ("    [" + "0, " * 15 + "0],\n") * 10 + "]\n```",
    "numbers": " ".join(str(i) for i in range(1, 1500)),
    "a sentence said four times": " ".join([prose(300), SENTENCE, prose(300, 1), SENTENCE, SENTENCE, prose(300, 2), SENTENCE]),
    "a refrain": "\n\n".join(prose(60, i) + "\n" + (SENTENCE + "\n") * 2 for i in range(4)),
    "a horizontal rule": prose(200) + "\n" + "=" * 300 + "\n" + prose(200, 1) + "\n" + "-" * 300,
    "nothing": "",
    "NULs in between": "\0".join(prose(40, i) for i in range(20)),
}  # fmt: skip


@pytest.mark.parametrize("name", LEGITIMATE)
def test_legitimate_repetition_passes(name: str) -> None:
    assert reason(LEGITIMATE[name]) is None, judged(LEGITIMATE[name]).scores


def test_copies_below_at_and_above_the_bound() -> None:
    # 5 words a copy: 11 copies are 55 words, over the 40 that make a run a loop; the bound is 12 copies. The last
    # token of the text before differs, so that a run is exactly as long as it was written.
    def loop(copies: int) -> str:
        return f"{prose(50)} {'we try the same thing. ' * copies}{prose(50, 1)}"

    assert score(loop(11), "loop_copies") == 11
    assert [reason(loop(n)) for n in (11, 12, 13)] == [None, "loop", "loop"]


def test_a_short_run_is_no_loop() -> None:
    # "no no no ..." 39 times is 39 words, one fewer than a loop must have.
    assert score(f"{prose(50)} {'no ' * 39}{prose(50, 1)}", "loop_copies") == 0
    assert score(f"{prose(50)} {'no ' * 40}{prose(50, 1)}", "loop_copies") == 40


def test_long_loops_count_by_their_words() -> None:
    # A text of 150 words: 3 copies do not count, 4 are 600 words.
    unit = prose(150, 3) + "\n"
    assert reason(prose(300) + "\n" + unit * 3) is None
    assert score(prose(300) + "\n" + unit * 4, "loop_words") == 600
    assert reason(prose(300) + "\n" + unit * 4) == "loop"


def test_restating_counts_from_the_third_copy_to_the_twentieth() -> None:
    # 30 blocks: one sentence of 12 words that never changes, and 60 new words. The first three are not yet old at both
    # ends, and after twenty it is a form: 18 x 12 = 216 words of 30 x 72 = 2,160, 0.1, within a word or two at each seam.
    text = " ".join(prose(60, i) + " " + SENTENCE for i in range(30))
    assert score(text, "restated_share") == pytest.approx(216 / 2160, abs=0.02)


def test_figures_are_no_restatement() -> None:
    """The same calculation six times, between new words: there are no words of letters in it."""
    sums = "12 + 30 = 42, 42 * 7 = 294, 294 - 94 = 200, 200 / 8 = 25, 25 ^ 2 = 625, so 625 + 375 = 1000"
    spelled = "twelve and thirty are forty two and seven of these are two hundred and ninety four less ninety four"
    for said, least, most in ((sums, 0, 0.005), (spelled, 0.03, 1)):
        text = " ".join(prose(200, i) + " " + said for i in range(12))
        assert least <= score(text, "restated_share") <= most


@pytest.mark.parametrize("kind", [k for k in long_texts.KINDS if k not in ("search", "euclid")])
def test_long_calculations_proofs_and_lists_are_kept(kind) -> None:
    for number in range(3, long_texts.EACH, 8):
        text = long_texts.KINDS[kind](random.Random(f"test {kind} {number}"), number)
        assert reason(text) is None, (kind, number)


def test_a_frame_with_new_words_in_it_is_an_enumeration() -> None:
    # The same sentence, 12 words, with 20 new words in between: copied from 32 words back, less than 4 x 12.
    assert reason(" ".join(prose(20, i) + " " + SENTENCE for i in range(30))) is None


def test_interrupted_loops_add_up_to_a_burst() -> None:
    # Copies 1-9, a word, copies 10-18, a word, ...: no run has 12 copies, but the window holds more than 60 words that
    # stood there 12 times before.
    loop = " ".join("the third line is used already " * 9 + word(i) for i in range(5))
    text = f"{prose(3000)} {loop} {prose(3000, 1)}"
    assert score(text, "loop_copies") < 12
    assert reason(text) == "burst"


def test_the_window_bounds_a_burst() -> None:
    loop = " ".join("the third line is used already " * 9 + word(i) for i in range(5))
    scores = RepetitionFilter(Options(window=32)).judge(batch_of([{"text": prose(500) + " " + loop}])).scores
    assert scores["burst_words"][0] <= 32


def test_a_counter_loop_needs_a_counter() -> None:
    counting = "".join(f"Attempt {i}: still not right.\n" for i in range(250))
    assert reason(prose(100) + "\n" + counting) == "counter_loop"
    rng = np.random.default_rng(5)
    measured = "".join(f"Sample {n}: still not right.\n" for n in rng.integers(0, 10_000, 250))
    assert score(prose(100) + "\n" + measured, "counter_copies") == 0


def test_code_has_thresholds_of_its_own() -> None:
    lines = "    values.append(compute(first, second))\n" * 60
    fenced = f"{prose(100)}\n\n```python\n{lines}```\n\n{prose(100, 1)}"
    assert reason(fenced) is None
    assert score(fenced, "code_loop_copies") >= 59
    assert score(fenced, "loop_copies") == 0
    assert reason(f"{prose(100)}\n\n{lines}\n\n{prose(100, 1)}", Options(max_code_loop_copies=50)) is not None
    assert reason(fenced.replace(lines, lines * 10)) == "loop"


def test_growing_chains_can_be_dropped_on_request() -> None:
    assert reason(names_chain(120), Options(max_recopied_share=0.5)) == "recopied"


def test_only_what_the_model_wrote_is_judged() -> None:
    loop = (SENTENCE + " ") * 60
    turn = {"role": "assistant", "content": "Fine.", "reasoning_content": prose(50)}
    rows = [
        {"messages": [{"role": "user", "content": loop, "reasoning_content": None}, turn]},
        {"messages": [{"role": "user", "content": "Hi", "reasoning_content": None}, turn | {"content": loop}]},
        {
            "messages": [
                {"role": "user", "content": "Hi", "reasoning_content": None},
                turn | {"reasoning_content": loop},
            ]
        },
        {"messages": [{"role": "system", "content": loop, "reasoning_content": None}, turn]},
    ]
    judgement = FILTER.judge(batch_of(rows))
    assert judgement.keep.tolist() == [True, False, False, True]
    assert {(r, c) for r, c in zip(judgement.evidence.record, judgement.evidence.channel, strict=True)} == {
        (1, CONTENT), (2, REASONING),
    }  # fmt: skip


def test_turns_are_judged_one_by_one() -> None:
    # The same answer in six turns is no loop: 6 x 10 copies in one text would be.
    turn = {"role": "assistant", "content": f"{prose(60)} {'we try the same thing. ' * 10}"}
    assert FILTER.judge(batch_of([{"messages": [turn] * 6}])).keep.all()


def test_evidence_points_at_the_copies() -> None:
    text = f"{prose(100)} {(SENTENCE + ' ') * 30}{prose(100, 1)}"
    copies = spans(text, "loop:copy")
    assert len(copies) == 8
    assert all("second equation" in copy and len(copy) <= len(SENTENCE) + 1 for copy in copies)
    assert len(judged(text).evidence) <= EVIDENCE_LIMIT


def test_evidence_stays_within_the_limit_and_the_text() -> None:
    text = " ".join(prose(20, i) + " " + (SENTENCE + " ") * 14 + prose(300, i) for i in range(40))
    evidence = judged(text).evidence
    assert 0 < len(evidence) <= EVIDENCE_LIMIT
    assert all(0 <= a < b <= len(text.encode()) for a, b in zip(evidence.start, evidence.end, strict=True))


def test_verdicts_can_be_decided_again_from_recorded_scores() -> None:
    texts = [b + loop + a for b, loop, a, _ in PLANTED.values()] + list(LEGITIMATE.values())
    judgement = judged(*texts)
    recorded = {name: pa.array(values, SCORES[name]) for name, values in judgement.scores.items()}
    assert decide(recorded, FILTER.options).tolist() == judgement.reason.tolist()
    stricter = Options(max_loop_copies=5, max_restated_share=0.01, max_recopied_share=0.2)
    assert decide(recorded, stricter).tolist() == judged(*texts, options=stricter).reason.tolist()


def test_every_score_has_a_threshold_and_every_reason_a_score() -> None:
    assert {score for _, score in RULES} == set(SCORES)
    assert {code for code, _ in RULES} == set(REASONS)
    assert all(hasattr(Options(), f"max_{score}") for score in SCORES)


def test_zero_turns_a_rule_off() -> None:
    off = Options(**{f"max_{score}": 0 for score in SCORES})
    assert judged(*(b + loop + a for b, loop, a, _ in PLANTED.values()), options=off).keep.all()


def test_empty_batches_and_records_without_turns() -> None:
    no_rows = batch_of([{"text": "x"}]).source.slice(0, 0)
    assert len(FILTER.judge(read(no_rows, recognise(no_rows.schema), max_record_bytes=1).batch).reason) == 0
    rows = [{"messages": []}, {"messages": [{"role": "assistant", "content": ""}]}]
    assert FILTER.judge(batch_of(rows)).keep.all()
    assert judged("", "\0" * 500, "x").keep.tolist()[::2] == [True, True]


pieces = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.sampled_from(["again ", SENTENCE, "\n```\n", "-> ", "等一下。", "17 ", "ขอ", "x" * 200, "\0", " " * 100, "é" * 70]),
    ),
    max_size=8,
)  # fmt: skip
texts = st.builds(lambda parts, times: "".join(parts) * times, pieces, st.sampled_from([1, 2, 5, 60]))


@settings(max_examples=150, deadline=None)
@given(st.lists(texts, min_size=1, max_size=5))
def test_a_record_is_judged_alike_alone_and_in_company(many: list[str]) -> None:
    many = [t.encode("utf-8", "ignore").decode() for t in many]
    together = judged(*many)
    for i, text in enumerate(many):
        alone = judged(text)
        assert alone.reason[0] == together.reason[i]
        assert all(alone.scores[name][0] == together.scores[name][i] for name in SCORES)
        mine = [k for k, r in enumerate(together.evidence.record) if r == i]
        assert [together.evidence.start[k] for k in mine] == alone.evidence.start
        raw = text.encode()
        for start, end in zip(alone.evidence.start, alone.evidence.end, strict=True):
            assert 0 <= start < end <= len(raw)
            raw[start:end].decode()  # never within a character


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6), st.integers(41, 120), st.integers(0, 50))
def test_any_period_is_found(unit: list[str], copies: int, seed: int) -> None:
    text = f"{prose(80, seed)} {' '.join(unit * copies)} {prose(80, seed + 1)}"
    assert reason(text) == "loop"


@pytest.mark.parametrize("name", ["gsm8k", "mgsm", "tatqa", "alpaca", "deccp", "taubench_airline", "glaive_sharegpt"])
def test_clean_sets_pass(name: str) -> None:
    rejected = total = 0
    for path in real(name):
        judgement = FILTER.judge(real_batch(path))
        rejected, total = rejected + int((~judgement.keep).sum()), total + len(judgement.reason)
    assert rejected <= 0.001 * total


@pytest.mark.parametrize("fence", ["```python\n{}\n```", "{}"])
def test_the_standard_library_passes(fence: str) -> None:
    library = Path(sysconfig.get_paths()["stdlib"])
    paths = sorted(library.glob("*.py")) + sorted(library.glob("[a-e]*/*.py"))
    texts = [fence.format(p.read_text("utf-8", "ignore")) for p in paths]
    assert (~judged(*texts).keep).sum() <= 0.001 * len(texts)


def test_labelled_traces_come_out_as_people_read_them() -> None:
    (path,) = real("traces_labelled")
    batch = real_batch(path)
    labels = np.array(batch.source.column("label").to_pylist())
    dropped = ~FILTER.judge(batch).keep
    hit, wrong = (dropped & (labels == "degenerate")).sum(), (dropped & (labels == "legit")).sum()
    assert hit / (labels == "degenerate").sum() >= 0.95
    assert hit / (hit + wrong) >= 0.97
