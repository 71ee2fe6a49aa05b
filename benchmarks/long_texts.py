"""Long texts that repeat their form and not themselves: proofs, calculations, searches and lists of facts, made here.

Each is what a careful model writes when the task is long. They are a control set for the repetition filter: nothing of them is
to be dropped. Everything follows from the seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction

EACH = 60
"""Texts of each kind."""


def texts(seed: int = 0) -> Iterator[tuple[str, str]]:
    """(kind, text), ``EACH`` of a kind, from a few hundred to some twenty thousand words."""
    for kind, make in KINDS.items():
        for number in range(EACH):
            yield kind, make(random.Random(f"{seed} {kind} {number}"), 1 + number)


def elimination(rng: random.Random, size: int) -> str:
    """Gaussian elimination, the matrix written out after each step."""
    n = 3 + size // 8
    rows = [[Fraction(rng.randint(-9, 9)) for _ in range(n + 1)] for _ in range(n)]
    out = [f"We solve the system of {n} equations by elimination. The augmented matrix is", _matrix(rows)]
    for k in range(n):
        pivot = next((i for i in range(k, n) if rows[i][k]), None)
        if pivot is None:
            out.append(f"Column {k + 1} has no pivot, so the system is singular.")
            continue
        if pivot != k:
            rows[k], rows[pivot] = rows[pivot], rows[k]
            out.append(
                f"The entry at ({k + 1},{k + 1}) is zero, so swap rows {k + 1} and {pivot + 1}:\n{_matrix(rows)}"
            )
        for i in range(k + 1, n):
            factor = rows[i][k] / rows[k][k]
            if factor:
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
                out.append(f"Subtract {factor} times row {k + 1} from row {i + 1}:\n{_matrix(rows)}")
    return "\n\n".join([*out, "The matrix is now in row echelon form."])


def _matrix(rows: list[list[Fraction]]) -> str:
    return "\n".join("[ " + "  ".join(str(v) for v in row) + " ]" for row in rows)


def cases(rng: random.Random, size: int) -> str:
    """A proof by cases over residues."""
    m, power, add = 5 + size, rng.choice((2, 3, 4)), rng.randint(1, 9)
    out = [f"We show which residues n^{power} + {add} takes modulo {m}. Let n = {m}q + r, so r runs from 0 to {m - 1}."]
    seen = set()
    for r in range(m):
        value = (r**power + add) % m
        seen.add(value)
        out.append(
            f"Case r = {r}. Then n^{power} is congruent to {r}^{power} = {r**power}, and {r**power} + {add} = {r**power + add}. "
            f"Dividing by {m} leaves {value}, because {r**power + add} = {m} * {(r**power + add) // m} + {value}."
        )
    return "\n\n".join([*out, f"So exactly {len(seen)} of the {m} residues occur: {sorted(seen)}."])


def induction(rng: random.Random, size: int) -> str:
    """Induction checked step by step, each sum written as the last one and a term."""
    a, b = rng.randint(1, 5), rng.randint(1, 9)
    total, out = (
        0,
        [f"Let S(n) be the sum of {a}k^2 + {b}k for k from 1 to n. We compute the first values to find the pattern."],
    )
    for k in range(1, 20 + 8 * size):
        term = a * k * k + b * k
        out.append(f"S({k}) = S({k - 1}) + {a}*{k}^2 + {b}*{k} = {total} + {term} = {total + term}.")
        total += term
    return "\n".join(
        [*out, "Each value agrees with the closed form, and the step from n to n + 1 adds exactly the next term."]
    )


def division(rng: random.Random, size: int) -> str:
    """Long division to many digits."""
    divisor = rng.choice((17, 19, 23, 29, 47, 59, 61, 97, 109, 113, 131, 337, 487, 499))
    rest, out, seen = rng.randint(1, divisor - 1), [], {}
    out.append(f"Divide {rest} by {divisor}, digit by digit.")
    for place in range(1, 10 + 6 * size):
        out.append(
            f"Digit {place}: bring down a zero to get {rest * 10}. {divisor} goes into {rest * 10} {rest * 10 // divisor} times "
            f"({rest * 10 // divisor} * {divisor} = {rest * 10 // divisor * divisor}), remainder {rest * 10 % divisor}."
        )
        seen[rest] = place
        rest = rest * 10 % divisor
        if rest in seen:
            out.append(f"That remainder stood at digit {seen[rest]}, so the digits repeat from there.")
            break
    return "\n".join(out)


def euclid(rng: random.Random, size: int) -> str:
    """Greatest common divisors, many of them, by Euclid's algorithm."""
    out = []
    for _ in range(5 + size):
        a, b = rng.randint(10**6, 10**9), rng.randint(10**5, 10**8)
        out.append(f"Next, gcd({a}, {b}).")
        while b:
            out.append(f"{a} = {a // b} * {b} + {a % b}")
            a, b = b, a % b
        out.append(f"The last remainder that is not zero is {a}, so the gcd is {a}.")
    return "\n".join(out)


def search(rng: random.Random, size: int) -> str:
    """Backtracking for queens on a board, each attempt told."""
    n, out = 5 + size % 4, []
    order = [rng.sample(range(n), n) for _ in range(n)]
    placed: list[int] = []

    def place(row: int) -> bool:
        if row == n:
            return True
        for column in order[row]:
            clash = next((r for r, c in enumerate(placed) if c == column or abs(c - column) == row - r), None)
            if clash is not None:
                out.append(f"Row {row + 1}, column {column + 1}: attacked by the queen in row {clash + 1}, so no.")
                continue
            placed.append(column)
            out.append(f"Row {row + 1}, column {column + 1} is free. Board so far: {[c + 1 for c in placed]}.")
            if place(row + 1):
                return True
            placed.pop()
            out.append(
                f"Row {row + 2} has no free column after {[c + 1 for c in placed]} and {column + 1}, so go back."
            )
        return False

    place(0)
    return "\n".join([f"Place {n} queens.", *out, f"Solution: {[c + 1 for c in placed]}."])


def chain(rng: random.Random, size: int) -> str:
    """A chain of names, recopied with one link more at each step."""
    names = rng.sample(_NAMES, min(len(_NAMES), 4 + size // 2))
    out = ["We follow the line link by link."]
    for k in range(2, len(names) + 1):
        out.append(f"{names[k - 1]} is a child of {names[k - 2]}, so the line is {' -> '.join(names[:k])}.")
    return "\n".join([*out, f"So {names[-1]} descends from {names[0]}."])


def facts(rng: random.Random, size: int) -> str:
    """A list of facts in one form, a name and figures in each."""
    out = ["Here is what is known of each."]
    for i in range(20 + 10 * size):
        name = rng.choice(_NAMES) + rng.choice(("ville", "ton", "burg", "stad", "field"))
        out.append(
            f"{i + 1}. {name} lies {rng.randint(1, 900)} km {rng.choice(('north', 'south', 'east', 'west'))} of the capital, has "
            f"{rng.randint(1, 999)},{rng.randint(100, 999)} inhabitants and was founded in {rng.randint(900, 1990)}."
        )
    return "\n".join(out)


def algebra(rng: random.Random, size: int) -> str:
    """An expression simplified a term at a time, the whole of it written again."""
    terms = [(rng.randint(1, 9), rng.randint(1, 9)) for _ in range(3 + size // 4)]
    out, done = [f"Expand the product {' '.join(f'({a}x + {b})' for a, b in terms)}."], [Fraction(1)]
    for k, (a, b) in enumerate(terms):
        new = [Fraction(0)] * (len(done) + 1)
        for power, value in enumerate(done):
            new[power] += b * value
            new[power + 1] += a * value
        done = new
        left = " ".join(f"({c}x + {d})" for c, d in terms[k + 1 :])
        shown = " + ".join(f"{v}x^{p}" if p else str(v) for p, v in reversed(list(enumerate(done))))
        out.append(f"Multiplying by ({a}x + {b}) gives ({shown}) {left}".rstrip() + ".")
    return "\n\n".join([*out, "Nothing is left to multiply."])


_PEOPLE = """
Ada Alan Amina Anders Anita Arjun Astrid Bao Bela Boris Carmen Chidi Clara Cyril Dalia Daniel Diego Edith Elif Emeka Erik Esme Farah
Felix Fiona Gita Goran Hana Hector Ida Igor Ines Ivan Jalal Jana Jorge Kaito Karim Kofi Lars Leila Lena Luca Maja Marek Mei Milan
Nadia Niko Nina Olga Omar Oskar Paloma Pavel Petra Priya Quentin Rafa Rania Rosa Sami Sanna Selim Sofia Tara Tomas Uma Vera Viktor
Wanda Wei Xenia Yara Yusuf Zara Zoran
"""
_NAMES = _PEOPLE.split()

KINDS: dict[str, Callable[[random.Random, int], str]] = {
    "elimination": elimination, "cases": cases, "induction": induction, "division": division, "euclid": euclid,
    "search": search, "growing chains": chain, "facts": facts, "algebra": algebra,
}  # fmt: skip
