"""Final answers against references, and arithmetic on the way: what is right, wrong, and left alone."""

from __future__ import annotations

import os
import signal
import sys
import time
from fractions import Fraction

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.contract import KEPT, ConfigError
from filters.numbers import NumbersFilter, symbolic
from filters.numbers.answers import find
from filters.numbers.compare import against
from filters.numbers.equations import RIGHT, WRONG, equations
from filters.numbers.lexer import tokens
from filters.numbers.options import NumbersOptions, On
from filters.numbers.parser import Expression, NotArithmetic
from filters.numbers.symbolic import Algebra
from filters.numbers.values import value
from tests.support import ROOT, batch_of, real

PAIRS = yaml.safe_load((ROOT / "benchmarks" / "numbers_pairs.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def algebra():
    pytest.importorskip("math_verify", reason="needs the extra math")
    made = Algebra(2)
    yield made
    made.child.close()


def judged(rows, **options):
    options.setdefault("symbolic", False)
    batch = batch_of(rows)
    return batch, NumbersFilter(NumbersOptions(**options)).judge(batch)


def states(text):
    return [(e.state, text[e.start : e.end]) for e in equations(text)]


# Final answers


def test_pairs_of_answers_and_references_are_judged_as_listed(algebra):
    told = {(p["a"], p["r"]): against(p["a"], [p["r"]], algebra).verdict[0] for p in PAIRS}
    assert told == {(p["a"], p["r"]): p["is"] for p in PAIRS}


@pytest.mark.parametrize(
    ("text", "answer", "form"),
    [
        (r"Thus $\boxed{\frac{1}{2}}$.", r"\frac{1}{2}", "boxed"),
        (r"\boxed{1} and \boxed{2}", "1, 2", "boxed"),
        (r"\boxed{3} is wrong. It is \boxed{4}.", "4", "boxed"),
        (r"\fbox{7}", "7", "boxed"),
        ("Work.\n#### 1,200", "1,200", "hashes"),
        ("We add.\n#### Final answer\n42 is the answer: 42", "42", "said"),
        ("The answer is 5, no: the final answer is **B**.", "B", "said"),
        ("**Final Answer**\n\n42", "42", "said"),
        ("So the correct answer is (C) 42 because it is even.", "(C) 42", "said"),
        ("The answer is that James writes 624 pages a year.", "624", "said"),
        ("Option C is correct", "C", "said"),
        ("我们得到结果。答案是 42。", "42", "said"),
        ("答えは7です。", "7です", "said"),
        ("Die Antwort lautet 12.", "12", "said"),
        ("La réponse est 3,5.", "3,5", "said"),
        ("La respuesta es 12.", "12", "said"),
        ("La risposta è 12.", "12", "said"),
        ("The answer is therefore 18 (in dollars).", "18", "said"),
        ("<think>5?</think><answer>\n18\n</answer>", "18", "said"),
        ("### Answer\n18", "18", "said"),
        ("정답은 18", "18", "said"),
        ("Ответ: 18", "18", "said"),
        ("A resposta é 18.", "18", "said"),
        ("The answer is .4", ".4", "said"),
        (r"\boxed{(2, 2)} \quad \text{and} \quad \boxed{(6, 2)}", "(2, 2), (6, 2)", "boxed"),
        (r"y_1 = \boxed{3} and y_2 = \boxed{4}", "3, 4", "boxed"),
        ("42", "42", "whole"),
        ("She had 3 apples; he gave her 4 and now she has 7 in the bowl on the table.", "7", "last_number"),
        (r"It goes on \boxed{unclosed 5", "5", "last_number"),
    ],
)
def test_the_answer_is_found_by_its_clearest_form(text, answer, form):
    found = find(text)
    assert (found.text, found.form) == (answer, form)


def test_a_text_without_number_or_mark_has_no_answer():
    assert find("I do not know what to say to this question, sorry about that, really.") is None


def test_records_are_verified_refuted_or_left_by_their_reference_column():
    rows = [
        {"prompt": "q", "response": "So\n#### 4", "expected_answer": "4"},
        {"prompt": "q", "response": "So\n#### 5", "expected_answer": "4"},
        {"prompt": "q", "response": "So\n#### 4", "expected_answer": None},
        {"prompt": "q", "response": "Who could ever say what this question is about, or why?", "expected_answer": "4"},
    ]
    _, judgement = judged(rows)
    assert judgement.scores["verdict"].tolist() == ["verified", "refuted", "unverifiable", "unverifiable"]
    assert judgement.scores["how"].tolist() == ["number", "number", "no_reference", "no_answer"]
    assert judgement.reason.tolist() == [KEPT, 0, KEPT, KEPT]
    assert judgement.evidence.rule == ["answer:hashes"] * 2
    _, judgement = judged(rows, on=On(refuted="keep", unverifiable="drop"))
    assert judgement.reason.tolist() == [KEPT, KEPT, 1, 1]


def test_the_evidence_is_the_answers_bytes_behind_other_scripts():
    batch, judgement = judged([{"prompt": "q", "response": "因此，答案是 42。", "expected_answer": "42"}])
    evidence = judgement.evidence
    assert batch.segments.bytes(evidence.segment[0])[evidence.start[0] : evidence.end[0]] == b"42"


def test_the_last_number_verifies_and_never_refutes():
    text = "There were 3 cats and 4 dogs in the house on the hill, 7 animals to feed every morning of week {}"
    rows = [{"prompt": "q", "response": text.format(n), "expected_answer": "9"} for n in (9, 8)]
    _, judgement = judged(rows)
    assert judgement.scores["verdict"].tolist() == ["verified", "unverifiable"]
    _, judgement = judged(rows, last_number=False)
    assert judgement.scores["how"].tolist() == ["no_answer", "no_answer"]


@pytest.mark.parametrize(
    ("column", "path"),
    [
        ({"solution_text": "Some work.\n#### 4"}, "solution_text"),
        ({"expected_answer": 4}, ""),
        ({"expected_answer": 4.0}, ""),
        ({"expected_answer": ["four", "4"]}, ""),
        ({"meta": {"gold": {"answer": "4"}}}, "meta.gold.answer"),
        ({"meta": '{"gold": 4}'}, "meta.gold"),
        ({"reward_model": {"ground_truth": "4", "style": "rule"}}, ""),
    ],
)
def test_references_come_from_columns_structs_json_and_lists(column, path):
    _, judgement = judged([{"prompt": "q", "response": "#### 4", **column}], reference=path)
    assert judgement.scores["verdict"].tolist() == ["verified"]


def test_a_struct_is_not_a_reference():
    rows = [{"prompt": "q", "response": "#### 4", "ground_truth": {"answer": "4"}}]
    assert judged(rows)[1].scores["how"].tolist() == ["no_reference"]
    with pytest.raises(ConfigError, match="name a field of it"):
        judged(rows, reference="ground_truth")


def test_a_column_that_is_not_there_is_named_with_its_neighbour():
    with pytest.raises(ConfigError, match=r"no column 'expected_anser' \(did you mean 'expected_answer'\?\)"):
        judged([{"prompt": "q", "response": "4", "expected_answer": "4"}], reference="expected_anser")


def test_without_the_package_a_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "math_verify", None)
    with pytest.raises(ConfigError, match=r"pip install 'corpusmill\[math\]'"):
        NumbersFilter()


def test_a_share_of_tolerance_lets_near_answers_pass():
    rows = [{"prompt": "q", "response": "#### 101", "expected_answer": "100"}]
    assert judged(rows)[1].scores["verdict"].tolist() == ["refuted"]
    assert judged(rows, tolerance=0.01)[1].scores["verdict"].tolist() == ["verified"]


@given(st.integers(-(10**20), 10**20), st.integers(-(10**20), 10**20))
def test_two_whole_numbers_are_verified_exactly_when_they_are_equal(a, b):
    for answer in (str(a), f"{a:,}", f"\\boxed{{{a}}}", f"{a}.0", f"${a}$", f"\\frac{{{a}}}{{1}}"):
        assert against(answer, [str(a)], None).verdict == "verified"
        assert against(answer, [str(b)], None).verdict == ("verified" if a == b else "refuted")


@given(st.text(alphabet=st.sampled_from("0123456789.,/%^!()[]{}\\$ -+*x=A B\0\n答案是boxedfrac"), max_size=80))
def test_any_text_at_all_can_be_read_as_an_answer(text):
    value(text)
    find(text + "\\boxed{" + text + "}")
    against(text, [text[::-1]], None)


def test_gsm8k_answers_are_verified_and_changed_ones_refuted():
    table = pq.read_table(real("gsm8k")[0]).slice(0, 1000)
    gold = [r.rpartition("####")[2].strip() for r in table["response"].to_pylist()]
    changed = [str(int(g.replace(",", "")) + 1) for g in gold]
    for reference, verdict in ((gold, "verified"), (changed, "refuted")):
        _, judgement = judged(table.append_column("expected_answer", pa.array(reference)))
        assert set(judgement.scores["verdict"]) == {verdict}


# Algebra, in its process


def test_formulas_that_would_take_for_ever_are_not_tried(algebra):
    before = algebra.child.starts
    for formula in ("9^9^9^9", "9^{9^{9}}", "((9!)!)!", "10^{99999}", "(x+y)^{999}", "{" * 50, "1" * 400):
        assert algebra.same(formula, "5") == "too_large"
    assert algebra.child.starts == before


def test_code_in_an_answer_is_no_formula(algebra, tmp_path):
    target = tmp_path / "made"
    for text in (f"__import__('os').mkdir('{target}')", "\\input{/etc/passwd}", "\x00", "lambda: 1"):
        assert algebra.same(text, "x+1") in ("not_comparable", False)
    assert not target.exists()


def test_what_hangs_or_ends_is_started_again_for_the_next_pair(algebra, monkeypatch):
    monkeypatch.setattr(symbolic, "_is_too_large", lambda formula: False)
    assert algebra.same("\\sqrt{8}", "2\\sqrt{2}") is True
    began = time.process_time()
    assert algebra.same("9^{9^{9^{9}}}", "\\sqrt{5}") == "timed_out"
    assert time.process_time() - began < 1
    assert algebra.same("\\sqrt{8}", "2\\sqrt{2}") is True
    before, pid = algebra.child.starts, algebra.child.process.pid
    os.kill(pid, signal.SIGKILL)
    algebra.child.process.wait()
    assert algebra.same("\\sqrt{8}", "3\\sqrt{2}") is False
    assert algebra.child.starts == before + 1
    pid = algebra.child.process.pid
    algebra.child.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


# Equations


@pytest.mark.parametrize(
    "text",
    [
        "12 × 17 = 204", "3/4 of 80 = 60", "20% of 50 = 10", "1,000 + 500 = 1,500", "1.000 + 500 = 1.500", "$2.50 * 3 = $7.50",
        r"$\frac{3}{4} \times 80 = 60$", r"1{,}000 \times 3 = 3{,}000", "10/3 = 3.33", "10/3 ≈ 3.3", r"22/7 \approx 3.14",
        "100/3 = about 33", "10.1 * 3.3 = 33.1 (approx)",
        "17 mod 5 = 2", "17 ≡ 5 (mod 12)", r"19 \equiv 4 \equiv -1 \pmod{5}", "5! = 120", "2^10 = 1024",
        "2**10 = 1024", "5² = 25", "√16 + 3 = 7", r"\sqrt{16} + 3 = 7", "3(4) = 12", "(1+2)(3+4) = 21", "5/20 = 25%", "7 - 10 = -3",
        "3*4 = 12 + 5 = 17", "5 apples + 3 apples = 8 apples", "3 boxes * 12 pencils = 36 pencils", "3.14*100 = 314.16",
        "25 / 1/3 = 75", "6 divided by 3 = 2", "4 times 5 = 20", "1.5e3 * 2 = 3000", "**3 * 4 = 12**", r"\(3 \cdot 4 = \boxed{12}\)",
        r"\frac{1}{2\sqrt{2}} = \frac{\sqrt{2}}{4}", "2 out of 4 = 1/2", "24 = 4 * 6", "for a total of 12+5 = 17",
        "Ham costs $5.50 for a total of $3.50 + $5.50 = $9.00", "3 piles of 210 / 3 = 70",
        "We pay 10 instead of 5+10 = 15", "so it barks 2*30 = 60 times per minute",
        "If she had 12, she has 12-5 = 7",
    ],
)  # fmt: skip
def test_equations_that_hold_are_right(text):
    assert {state for state, _ in states(text)} == {RIGHT}


@pytest.mark.parametrize(
    "text",
    [
        "12 × 17 = 205", "3/4 of 80 = 61", "20% of 50 = 12", "1,000 + 500 = 1,600", "$2.50 * 3 = $7.60", r"$\frac{3}{4} \times 80 = 61$",
        "10/3 = 3.5", "22/7 ≈ 4.1", "17 mod 5 = 3", "5! = 121", "2^10 = 1000", "(1+2)(3+4) = 22", "7 - 10 = 3", "- 3 * 4 = 13",
        "5 apples + 3 apples = 9 apples", "10 - 2 * 3 = 24", "3 + 1 + 10 + 3 + 3 = 17 minutes exactly", "5² = 24", "2 + 3 = 4 + 2",
        "for a total of 12+5 = 18",
        "Ham costs $5.50 for a total of $3.50 + $5.50 = $8.00",
        "She would take 6*10 = 600 minutes",
        "so it barks 2*30 = 62 times per minute", "If she had 12, she has 12-5 = 8", "If so then 12-5 = 8",
    ],
)  # fmt: skip
def test_equations_that_do_not_hold_are_wrong(text):
    assert [state for state, _ in states(text)] == [WRONG]


@pytest.mark.parametrize(
    "text",
    [
        "x + 3 = 5", "2x - 5 = 13", "4s + 16 = 2s + 32", "f(3) + 4 = 9", "a1 + 5 = 7", "log 100 + 3 = 6", "5 feet + 3 inches = 63 inches",
        "12:30 + 45 = 13:15", "if 2 + 2 = 5 then", "2 + 2 = 5?", "1 + 1 = 11 in base 3", "on Day 40 = 2 * 40", "(3) = 10 + 1 + 5",
        "9^9^9^9 = 3", "2 + 3 = 6x", "-2^2 = 5", "n += 3 * 4", "3 * 4 == 13", "3 + 4 != 8", "|a|^2 = 1 - 1/4", r"\alpha + 2 = 7 + 1",
        "0101 + 11 = 2000", "5 - 3 = 2 - x", "1 pound ≈ 16 * 28", "-7 ± √24 ≈ -7 ± 4.9", "C(5,2) + 1 = 12", "$3 + 50 cents = $3.50",
        "8 / 0 = 4", "17 + 1 ≡ 5", "pages 10-12 = 3", "if 12-5 = 8 then",
        "half of 80 + 20 = 50", "the average of 3+5 = 4", "a third of 6+6 = 8", "$2000x 10/100 = $200", "1/3 + 1/4 = (1/4) [1/3 + 1]",
    ],
)  # fmt: skip
def test_what_is_not_an_assertion_about_numbers_is_never_wrong(text):
    assert WRONG not in [state for state, _ in states(text)]


def test_a_wrong_try_that_the_text_takes_back_is_told_apart():
    rows = [
        {"prompt": "q", "response": "12 * 17 = 205. Wait, that's wrong. It is 204."},
        {
            "prompt": "q",
            "response": "12 * 17 = 205.\n" + "Now something else is said at length here. " * 9 + "\n12 * 17 = 204.",
        },
        {"prompt": "q", "response": "12 * 17 = 205, so that each of them gets 205 of these and is happy."},
    ]
    batch, judgement = judged(rows, drop_at=1)
    assert judgement.scores["wrong"].tolist() == [0, 0, 1]
    assert judgement.scores["corrected"].tolist() == [1, 1, 0]
    assert judgement.scores["equations"].tolist() == [1, 2, 1]
    assert judgement.reason.tolist() == [KEPT, KEPT, 3]
    assert judgement.evidence.rule == ["corrected_equation", "corrected_equation", "wrong_equation"]
    assert batch.segments.bytes(judgement.evidence.segment[2])[: judgement.evidence.end[2]] == b"12 * 17 = 205"
    assert judged(rows)[1].reason.tolist() == [KEPT] * 3


def test_reasoning_is_checked_and_questions_are_not():
    rows = [
        {
            "messages": [
                {
                    "role": "user",
                    "content": "Is 2 + 2 = 5 or what is it that 3 * 3 = 10 makes of it",
                    "reasoning_content": None,
                },
                {"role": "assistant", "content": "Fine.", "reasoning_content": "We add: 20 + 22 = 43 in all."},
            ]
        }
    ]
    _, judgement = judged(rows)
    assert (judgement.scores["equations"].tolist(), judgement.scores["wrong"].tolist()) == ([1], [1])


WHOLE = st.integers(1, 10**6)
OPERATOR = st.sampled_from(
    [("+", int.__add__), ("-", int.__sub__), ("*", int.__mul__), ("×", int.__mul__), (r"\times", int.__mul__)]
)


@given(
    WHOLE,
    OPERATOR,
    WHOLE,
    st.integers(1, 9),
    st.sampled_from(["{} {} {} = {}", "so {} {} {} = {}.", "${} {} {} = {}$"]),
)
def test_a_sum_is_right_with_its_value_and_wrong_with_any_other(a, operator, b, off, form):
    sign, function = operator
    assert [s for s, _ in states(form.format(a, sign, b, function(a, b)))] == [RIGHT]
    assert [s for s, _ in states(form.format(a, sign, b, function(a, b) + off))] == [WRONG]


@given(
    st.recursive(
        st.integers(0, 99).map(str),
        lambda e: st.tuples(e, st.sampled_from("+-*"), e).map(lambda t: f"({''.join(t)})"),
        max_leaves=12,
    )
)
def test_expressions_have_the_value_that_python_gives_them(text):
    try:
        made = Expression(list(tokens(text)))
    except NotArithmetic:
        assert text.count("(") > 20
        return
    assert made.value([v for v, _ in made.plain()]) == Fraction(eval(text))


@settings(max_examples=300)
@given(st.text(alphabet=st.sampled_from("0123456789.,+-*/^=≈×%!()[]{}\\$ xaté²√\0\n:?"), max_size=120))
def test_any_text_at_all_can_be_searched_for_equations(text):
    for equation in equations(text):
        assert 0 <= equation.start < equation.end <= len(text)
    judged([{"text": text}])


@pytest.mark.parametrize(
    "piece", ["1 + 1 = 2 ", "(" * 50 + "=3 ", "1=1=", "é=1 ", "\\boxed{", "answer is ", "2+2=5 wait "]
)
def test_a_large_text_takes_time_in_proportion(piece):
    """100 KB of one piece: what is not linear would take minutes."""
    began = time.process_time()
    _, judgement = judged([{"prompt": "q", "response": piece * (100_000 // len(piece)), "expected_answer": "2"}])
    assert time.process_time() - began < 10
    assert len(judgement.evidence) <= 101


def test_batches_without_records_or_texts_are_judged():
    empty = pa.table({"prompt": pa.array([], pa.string()), "response": pa.array([], pa.string())})
    batch = batch_of(pa.table({"prompt": [None], "response": [None]}, schema=empty.schema))
    judgement = NumbersFilter(NumbersOptions(symbolic=False)).judge(batch)
    assert judgement.scores["verdict"].tolist() == ["unverifiable"]
