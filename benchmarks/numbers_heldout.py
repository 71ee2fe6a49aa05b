r"""Numbers filter on what it was not tuned on: other people's pairs, samples and references, other sentences, and planted wrong equations.

    python benchmarks/numbers_heldout.py [DATA_FOLDER] [--math FOLDER] [--verify FOLDER] [--part a|b|ab] [--show N]

DATA_FOLDER holds gsm8k. --math: ``evaluation/data`` of github.com/QwenLM/Qwen2.5-Math, for references in LaTeX and 800 samples with a
grader's word on each. --verify: ``tests`` of math-verify's source distribution, for its pairs (``pip download --no-binary :all:
math-verify``). Everything is cut in two by a hash: rules may be mended while part a is read, and part b says what that came to.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.number_checks import DEFAULT, batch_of, perturbed  # noqa: E402
from filters.batch import ASSISTANT, CONTENT, OTHER, REASONING  # noqa: E402
from filters.numbers import NumbersFilter  # noqa: E402
from filters.numbers.arithmetic import found  # noqa: E402
from filters.numbers.options import NumbersOptions  # noqa: E402

SENTENCES = (
    "That makes {} in all, and this is the answer.", "ANSWER: {}", "Final answer → {}", "**Answer:** {}.00", "<answer>{}</answer>",
    '{{"answer": {}}}', r"\fbox{{{}}}", "The correct answer is therefore {} (in dollars).", "Risposta finale: {}",
    "Risultato: {}", "정답은 {}입니다.", "Ответ: {}", "答：{}元", "Resposta: {}", "Die gesuchte Zahl ist {}.", r"\boxed{{{}.}}",
    r"\boxed{{\$ {}}}", r"\boxed{{\text{{{}}}}}", r"\boxed{{\mathbf{{{}}}}}", r"\[ \boxed{{\;{}\ \text{{per week}}\;}} \]",
    r"Hence the answer is $\frac{{{}}}{{1}}$.", "**Final Answer: {}**", "### Answer\n{}", "The answer: **${}**",
    "Therefore the result is {}!",
    "So our final answer is\n\n$${}$$", "Answer = {}", "I conclude that the answer must be {}.", "La respuesta final es **{}**.",
    "Donc la réponse finale est : {}", "最終的な答えは {} です。", "所以最终答案为：{}", "The answer is: (not {wrong} but) {}",
)  # fmt: skip
"""Written before any was tried; rules were mended when the figures had been written down."""
LATER = (
    "We can now say that the answer equals {}.", "Answer\n------\n{}", "The final result: {}.", "<answer>\n{}\n</answer>",
    "My answer is {}.", r"$\therefore$ the answer is $\boxed{{\displaystyle {}}}$", r"\boxed{{\,{}\,}}.",
    "**The answer is {} dollars.**", "Answer: **{}** (units)", "The requested number is therefore {}.", "Result → {}",
    "Das Ergebnis beträgt {} Euro.", "Le résultat est donc {}.", "El resultado final es {} dólares.", "La risposta corretta è {}.",
    "因此，正确答案是 {} 元。", "よって、答えは{}円である。", "정답: {}", "Окончательный ответ: {}.", "A resposta final é {}.",
    "Final Answer: The final answer is ${}$. I hope it is correct.", "So, the answer is simply {}.",
    "The answer is {}, because that is what is left.", "`{}` is the answer.", r"\begin{{aligned}} x &= {} \end{{aligned}}",
    "Thus we get {} as the final answer.",
)  # fmt: skip
"""Written after that mending, and not tuned on."""
_LONE = re.compile(r"[0-9a-z\\{}()^_+\-*/. ]+")
_NOT_LONE = re.compile(r"\\(?:text|[lg]eq?\b|neq?\b|pm\b|in\b)| and |[a-z]{5}")
SOURCES = {
    "gaokao2023en/test": "answer", "college_math/test": "answer", "olympiadbench/test": "final_answer", "carp_en/test": "answer",
}  # fmt: skip


def mine(text: str, part: str) -> bool:
    return "ab"[hashlib.blake2b(text.encode()).digest()[0] & 1] in part


def judged(answers: list[str], references: list[str]) -> list[tuple[str, str]]:
    """Verdict and how, of each."""
    judge = NumbersFilter(NumbersOptions(reference="right"))
    rows = pa.table({"prompt": ["?"] * len(answers), "response": answers, "right": references})
    scores = judge.judge(batch_of(rows)).scores
    return list(zip(scores["verdict"].tolist(), scores["how"].tolist(), strict=True))


def told(name: str, kind: str, verdicts: list[tuple[str, str]]) -> None:
    counts = Counter(v for v, _ in verdicts)
    total = max(1, len(verdicts))
    shares = "  ".join(f"{v} {counts[v]:,} ({counts[v] / total:.1%})" for v in ("verified", "refuted", "unverifiable"))
    print(f"{name}, {kind}: {len(verdicts):,}  {shares}")


def shown(rows: list[tuple[object, ...]], most: int) -> None:
    for row in random.Random(1).sample(rows, min(most, len(rows))):
        print("   ", *(repr(r)[:110] for r in row), sep=" | ")


def pairs(folder: Path, part: str, show: int) -> None:
    """math-verify's own (reference, answer, equal or not), read from the source; nothing of it is run."""
    rows = []
    for path in sorted(folder.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Tuple | ast.List) and len(node.elts) == 3:
                values = [e.value if isinstance(e, ast.Constant) else None for e in node.elts]
                if isinstance(values[0], str) and isinstance(values[1], str) and isinstance(values[2], int):
                    rows.append((values[0], values[1], bool(values[2])))
    rows = [r for r in dict.fromkeys(rows) if mine(r[0] + r[1], part)]
    verdicts = judged([f"The answer is {r[1]}" if r[1].count(" ") < 1 else r[1] for r in rows], [r[0] for r in rows])
    for equal in (True, False):
        told(
            "math-verify's pairs",
            "equal" if equal else "not equal",
            [v for r, v in zip(rows, verdicts, strict=True) if r[2] == equal],
        )
    shown([(*r, *v) for r, v in zip(rows, verdicts, strict=True) if v[0] != ("verified" if r[2] else "refuted")], show)


def samples(folder: Path, part: str, show: int) -> None:
    """Real samples of MATH problems, with what a grader said of each."""
    rows = []
    for line in (folder / "eval_rm_maj_example" / "math_cot_100.jsonl").read_text("utf-8").splitlines():
        problem = json.loads(line)
        if mine(problem["question"], part):
            rows += [
                (problem["gt"], code, score) for code, score in zip(problem["code"], problem["score"], strict=True)
            ]
    verdicts = judged([r[1] for r in rows], [r[0] for r in rows])
    for right in (True, False):
        told(
            "samples of MATH",
            "right" if right else "wrong",
            [v for r, v in zip(rows, verdicts, strict=True) if r[2] == right],
        )
    odd = [
        (r[0], r[1][-90:], r[2], *v)
        for r, v in zip(rows, verdicts, strict=True)
        if v[0] != ("verified" if r[2] else "refuted")
    ]
    shown(odd, show)


def is_lone(reference: str) -> bool:
    """Whether it is one formula: no list, relation, unit or word."""
    return bool(_LONE.fullmatch(reference)) and not _NOT_LONE.search(reference.replace("\\frac", ""))


def rewritten(formula: str) -> Iterator[tuple[bool, str]]:
    """(whether it is equal, another way to write it): as a person might, then as nobody would, then other values."""
    yield True, formula.replace("\\frac", "\\dfrac").replace(" ", "  ")
    yield True, f"\\left({formula}\\right)"
    yield True, f"{formula} \\cdot 1"
    yield True, f"0 + {{{formula}}}"
    yield True, f"\\frac{{2 \\cdot ({formula})}}{{2}}"
    if re.fullmatch(r"-?\d{1,9}", formula):
        yield True, f"{int(formula):+d}"
        yield True, f"{formula}.0"
        yield True, f"{int(formula) - 1} + 1"
    if plain := re.fullmatch(r"(-?)\\[dt]?frac\s*\{\s*(\d{1,6})\s*\}\s*\{\s*(\d{1,6})\s*\}", formula):
        sign, above, below = plain.groups()
        yield True, f"{sign}{above}/{below}"
        yield True, f"\\frac{{{sign}{3 * int(above)}}}{{{3 * int(below)}}}"
        yield True, f"{sign}{above} \\div {below}"
        yield False, f"{sign}\\frac{{{below}}}{{{int(above) + 1}}}"
    yield False, f"({formula}) + 1"
    if formula != "-1":
        yield False, f"3 ({formula}) + 2"
    yield False, f"({formula}) - \\frac{{1}}{{7}}"


def latex(folder: Path, part: str, show: int) -> None:
    """References of four sets, in a box as they are, and rewritten."""
    for name, column in SOURCES.items():
        lines = (folder / f"{name}.jsonl").read_text("utf-8").splitlines()
        given = [json.loads(line)[column] for line in lines]
        answers = list(dict.fromkeys(str(g[0] if isinstance(g, list) else g).strip() for g in given))
        answers = [a for a in answers if a and len(a) <= 120 and mine(a, part)]
        verdicts = judged([f"So it is \\boxed{{{a.strip('$')}}}." for a in answers], answers)
        told(name, "as it is", verdicts)
        shown([(a, *v) for a, v in zip(answers, verdicts, strict=True) if v[0] != "verified"], show // 3)
        lone = [f for a in answers if is_lone(f := a.strip("$ "))]
        rows = [(f, equal, other) for f in lone[:150] for equal, other in rewritten(f)]
        verdicts = judged([f"\\boxed{{{r[2]}}}" for r in rows], [r[0] for r in rows])
        for equal in (True, False):
            told(
                name,
                "rewritten" if equal else "another value",
                [v for r, v in zip(rows, verdicts, strict=True) if r[1] == equal],
            )
        shown(
            [(*r, *v) for r, v in zip(rows, verdicts, strict=True) if v[0] != ("verified" if r[1] else "refuted")],
            show // 3,
        )


def sentences(folder: Path, part: str, show: int) -> None:
    """gsm8k's answers in other sentences than ``number_checks`` has."""
    table = pq.read_table(folder / "gsm8k")
    split = [r.rpartition("####") for r in table["response"].to_pylist()]
    split = [s for s in split if mine(s[0], part)][:1000]
    for name, forms in (("gsm8k in other sentences", SENTENCES), ("gsm8k in later sentences", LATER)):
        in_forms(name, forms, split, show)


def in_forms(name: str, forms: Sequence[str], split: Sequence[tuple[str, str, str]], show: int) -> None:
    gold, chance = [s[2].strip() for s in split], random.Random(2)
    every: dict[str, list[tuple[str, str]]] = {"right": [], "wrong": []}
    missed: Counter[str] = Counter()
    for form in forms:
        other = [perturbed(g, chance) for g in gold]
        for kind, said, not_it in (("right", gold, other), ("wrong", other, gold)):
            texts = [f"{s[0]}\n{form.format(g, wrong=w)}" for s, g, w in zip(split, said, not_it, strict=True)]
            verdicts = judged(texts, gold)
            every[kind] += verdicts
            missed[f"{kind} {form!r}"] = sum(v != ("verified" if kind == "right" else "refuted") for v, _ in verdicts)
    for kind, verdicts in every.items():
        told(name, kind, verdicts)
    for form, count in missed.most_common(show):
        if count:
            print(f"    {form}: {count} of {len(gold)} not as they should be")


EQUATION = re.compile(r"<<([^<>=]*[-+*/][^<>=]*)=(-?[\d.]+)>>(-?[\d,.]*\d)?")


def operands(left: str, result: str) -> tuple[str, str] | None:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([-/])(\d+(?:\.\d+)?)", left)
    return (f"{found[3]}{found[2]}{found[1]}", result) if found and found[1] != found[3] else None


def digit(left: str, result: str, chance: random.Random) -> tuple[str, str]:
    at = chance.choice([i for i, c in enumerate(result) if c.isdigit()])
    return left, result[:at] + chance.choice([c for c in "123456789" if c != result[at]]) + result[at + 1 :]


MISTAKES: dict[str, Callable[[str, str, random.Random], tuple[str, str] | None]] = {
    "a digit": digit,
    "off by one": lambda left, r, c: (left, f"{float(r) + c.choice([-1, 1]):g}") if len(r) < 7 else None,
    "ten times": lambda left, r, _: (left, f"{float(r) * 10:g}") if float(r) and len(r) < 6 else None,
    "operands swapped": lambda left, r, _: operands(left, r),
}  # fmt: skip


def equations(folder: Path, part: str, show: int) -> None:
    """One wrong equation planted into each of gsm8k's solutions, with its calculator's marks and without."""
    texts = [t for t in pq.read_table(folder / "gsm8k")["response"].to_pylist() if mine(t, part)]
    for marked in (True, False):
        before = wrong_places([t if marked else re.sub(r"<<[^<>]*>>", "", t) for t in texts])
        for name, mistake in MISTAKES.items():
            chance, planted = random.Random(3), []
            for number, text in enumerate(texts):
                if (made := plant(text, mistake, chance, marked)) is not None:
                    planted.append((number, *made))
            after = wrong_places([text for _, text, _, _ in planted])
            hits = [
                any(s < high and e > low for s, e in each)
                for each, (_, _, low, high) in zip(after, planted, strict=True)
            ]
            extra = sum(
                max(0, sum(not (s < high and e > low) for s, e in each) - len(before[number]))
                for each, (number, _, low, high) in zip(after, planted, strict=True)
            )
            kind = "marked" if marked else "prose"
            share = sum(hits) / max(1, len(hits))
            print(
                f"{kind}, {name}: {len(planted):,} planted, {sum(hits):,} found ({share:.1%}); right ones called wrong beside: {extra}"
            )
            missed = [
                (text[max(0, low - 40) : high + 20],)
                for hit, (_, text, low, high) in zip(hits, planted, strict=True)
                if not hit
            ]
            shown(missed, show // 8)
        print(
            f"{'marked' if marked else 'prose'}, as they are: {sum(map(len, before))} called wrong in {len(texts):,} solutions"
        )


def plant(text: str, mistake: Callable, chance: random.Random, marked: bool) -> tuple[str, int, int] | None:
    """The text with one equation changed where it is computed, and where it stands. The numbers behind it stay right."""
    found_ = [m for m in EQUATION.finditer(text) if m[3]]
    if not found_:
        return None
    chosen = chance.choice(found_)
    changed = mistake(chosen[1], chosen[2], chance)
    if changed is None or changed == (chosen[1], chosen[2]):
        return None
    left, result = changed
    head = text[: chosen.start()]
    # What stands before the mark says the same: "48/2 = <<48/2=24>>24".
    said = re.search(
        re.escape(chosen[1])
        .replace(r"\*", r"\s*[*x×]\s*")
        .replace(r"\+", r"\s*\+\s*")
        .replace("/", r"\s*/\s*")
        .replace(r"\-", r"\s*-\s*")
        + r"\s*=\s*\$?$",
        head,
    )
    if said is None:
        return None
    inner = f"<<{left}={result}>>" if marked else ""
    low = said.start()
    body = head[:low] + f"{left} = {inner}{result}"
    rest = text[chosen.end() :]
    if not marked:
        clean = re.sub(r"<<[^<>]*>>", "", head[:low])
        return (
            clean + f"{left} = {result}" + re.sub(r"<<[^<>]*>>", "", rest),
            len(clean.encode()),
            len((clean + f"{left} = {result}").encode()),
        )
    return body + rest, len(head[:low].encode()), len(body.encode())


def wrong_places(texts: list[str]) -> list[list[tuple[int, int]]]:
    """Of each text, where equations are that are called wrong."""
    out: list[list[tuple[int, int]]] = [[] for _ in texts]
    batch = batch_of(pa.table({"prompt": ["?"] * len(texts), "response": texts}))
    for each in found(batch, (CONTENT, REASONING), (ASSISTANT, OTHER)):
        if each.wrong:
            out[each.record].append((each.start, each.end))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--math", type=Path)
    parser.add_argument("--verify", type=Path)
    parser.add_argument("--part", default="ab", choices=("a", "b", "ab"))
    parser.add_argument("--show", type=int, default=0)
    given = parser.parse_args()
    if given.verify:
        pairs(given.verify, given.part, given.show)
    if given.math:
        samples(given.math, given.part, given.show)
        latex(given.math, given.part, given.show)
    if (given.data / "gsm8k").is_dir():
        sentences(given.data, given.part, given.show)
        equations(given.data, given.part, given.show)


if __name__ == "__main__":
    main()
