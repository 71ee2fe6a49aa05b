"""Documents measured on their UTF-8 bytes: words, lines and what repeats. One file, since numba's cache looks at one file only.

What is counted is what datatrove's Gopher, C4 and FineWeb filters count, from the papers of the same names; words are cut here
rather than by a tokenizer for each language (``tokenize``), which is where the figures can differ from theirs.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from filters.characters import ALONE, ALPHA, SPACE, SYMBOL, TERMINAL, WORD

_SEED = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_LONGEST_STOP = 12
_BASE = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)
_NEWLINE, _RETURN, _DOT, _COMMA, _QUOTE, _CURLY_QUOTE, _ELLIPSIS = 10, 13, 46, 44, 39, 0x2019, 0x2026


@njit(cache=True, nogil=True)
def _char(data: np.ndarray, at: int) -> tuple[int, int]:
    """Code point and bytes of the character at ``at``; the text is valid UTF-8."""
    lead = int(data[at])
    if lead < 0x80:
        return lead, 1
    if lead < 0xE0:
        return (lead & 0x1F) << 6 | int(data[at + 1] & 0x3F), 2
    if lead < 0xF0:
        return (lead & 0x0F) << 12 | int(data[at + 1] & 0x3F) << 6 | int(data[at + 2] & 0x3F), 3
    high = (lead & 0x07) << 18 | int(data[at + 1] & 0x3F) << 12
    return high | int(data[at + 2] & 0x3F) << 6 | int(data[at + 3] & 0x3F), 4


@njit(cache=True, nogil=True)
def _hash(data: np.ndarray, a: int, b: int) -> np.uint64:
    h = _SEED
    for i in range(a, b):
        h = (h ^ np.uint64(data[i])) * _PRIME
    return h


@njit(cache=True, nogil=True)
def _word_end(data: np.ndarray, at: int, b: int, kinds: np.ndarray) -> int:
    """Where the word that begins at ``at`` ends: at an apostrophe, which begins the next; an address goes on to the next space."""
    digit = False
    while at < b:
        code, size = _char(data, at)
        kind = kinds[code]
        if kind & WORD and not kind & ALONE:
            digit = 48 <= code <= 57
        elif code == 58 and at + 2 < b and data[at + 1] == 47 and data[at + 2] == 47:  # "://"
            while at < b:
                code, size = _char(data, at)
                if kinds[code] & SPACE:
                    break
                at += size
            return at
        elif not (digit and code in (_DOT, _COMMA) and at + 1 < b and 48 <= data[at + 1] <= 57):
            return at
        at += size
    return at


@njit(cache=True, nogil=True)
def _token_end(data: np.ndarray, at: int, b: int, kinds: np.ndarray) -> int:
    """Where the token at ``at``, which is no space, ends."""
    code, size = _char(data, at)
    kind = kinds[code]
    if kind & ALONE:
        return at + size
    if kind & WORD:
        return _word_end(data, at, b, kinds)
    if code == _DOT:
        while at < b and data[at] == _DOT:
            at += 1
        return at
    after = at + size
    if code in (_QUOTE, _CURLY_QUOTE) and after < b and kinds[_char(data, after)[0]] & ALPHA:
        return _word_end(data, after, b, kinds)
    return after


@njit(cache=True, nogil=True)
def tokenize(
    data: np.ndarray, a: int, b: int, kinds: np.ndarray, codes: np.ndarray, chars: np.ndarray, marks: np.ndarray
) -> int:
    """Fill codes (hashes), chars (characters) and marks (ALPHA: a letter in it; SYMBOL: nothing but punctuation) for each token;
    how many there are.

    A token is a run of letters, digits and marks, an ideograph or kana by itself, a run of full stops, or one other sign.
    """
    count, at = 0, a
    while at < b:
        code, size = _char(data, at)
        if kinds[code] & SPACE:
            at += size
            continue
        end = _token_end(data, at, b, kinds)
        length, alpha, symbol, value = 0, 0, SYMBOL, _SEED
        while at < end:
            code, size = _char(data, at)
            alpha |= kinds[code] & ALPHA
            symbol &= kinds[code]
            for k in range(at, at + size):
                value = (value ^ np.uint64(data[k])) * _PRIME
            at += size
            length += 1
        codes[count], chars[count], marks[count] = value, length, alpha | symbol
        count += 1
    return count


@njit(cache=True, nogil=True)
def _bit(stops: np.ndarray, code: np.uint64) -> int:
    """Where a word stands among the stop words (sorted hashes), or -1."""
    at = int(np.searchsorted(stops, code))
    return at if at < len(stops) and stops[at] == code else -1


@njit(cache=True, nogil=True)
def quality(data, start, end, kinds, stops, stop_start, out) -> None:  # type: ignore[no-untyped-def]
    """Gopher's quality figures into out[n, 9]: words without signs, their mean length, number signs a word, ellipses a word, share of
    bullet lines, of lines that end in an ellipsis, of words with a letter, different stop words; and all tokens.

    stops: sorted hashes of each document's stop words, ``stop_start[i]:stop_start[i + 1]`` for document i, at most 64.
    """
    room = (end - start).max() + 1 if len(start) else 1
    codes, chars, marks = np.empty(room, np.uint64), np.empty(room, np.int32), np.empty(room, np.uint8)
    for i in range(len(start)):
        count = tokenize(data, start[i], end[i], kinds, codes, chars, marks)
        own = stops[stop_start[i] : stop_start[i + 1]]
        words, letters, alpha, seen = 0, 0, 0, np.uint64(0)
        for k in range(count):
            alpha += (marks[k] & ALPHA) != 0
            if not marks[k] & SYMBOL:
                words += 1
                letters += chars[k]
                if chars[k] <= _LONGEST_STOP:
                    bit = _bit(own, codes[k])
                    if bit >= 0:
                        seen |= np.uint64(1) << np.uint64(bit)
        stopped = 0
        while seen:
            seen &= seen - np.uint64(1)
            stopped += 1
        hashes, ellipses, bullets, ends, lines = _signs(data, start[i], end[i], kinds)
        out[i, 0], out[i, 1] = words, letters / max(words, 1)
        out[i, 2], out[i, 3] = hashes / max(count, 1), ellipses / max(count, 1)
        out[i, 4], out[i, 5] = bullets / max(lines, 1), ends / max(lines, 1)
        out[i, 6], out[i, 7], out[i, 8] = alpha / max(count, 1), stopped, count


@njit(cache=True, nogil=True)
def _signs(data: np.ndarray, a: int, b: int, kinds: np.ndarray) -> tuple[int, int, int, int, int]:
    """Number signs, ellipses, lines that begin with a bullet, lines that end in an ellipsis, lines."""
    hashes, ellipses, bullets, ends, lines = 0, 0, 0, 0, 0
    at = a
    while at < b:
        fresh, dots, ellipsis = True, 0, False
        lines += 1
        while at < b:
            code, size = _char(data, at)
            at += size
            if code == _NEWLINE:
                break
            hashes += code == 35
            if not kinds[code] & SPACE:
                if fresh:
                    bullets += code in (0x2022, 45)
                    fresh = False
                dots = dots + 1 if code == _DOT else 0
                ellipses += code == _ELLIPSIS or (dots > 0 and dots % 3 == 0)
                ellipsis = code == _ELLIPSIS or dots >= 3
        ends += ellipsis
    return hashes, ellipses, bullets, ends, lines


@njit(cache=True, nogil=True)
def _add(table: np.ndarray, code: np.uint64) -> int:
    """Slot of a code in an open table of hashes (0: free), put there unless it is; negative minus one where it was there already."""
    code = code | np.uint64(1)
    mask = len(table) - 1
    at = int((code * np.uint64(0x9E3779B97F4A7C15)) >> _SHIFT) & mask
    while table[at] != 0:
        if table[at] == code:
            return -at - 1
        at = (at + 1) & mask
    table[at] = code
    return at


@njit(cache=True, nogil=True)
def _table(entries: int) -> np.ndarray:
    size = 16
    while size < 2 * entries:
        size *= 2
    return np.zeros(size, np.uint64)


@njit(cache=True, nogil=True)
def _count_lines(data: np.ndarray, a: int, b: int) -> int:
    lines = 1
    for i in range(a, b):
        lines += data[i] == _NEWLINE
    return lines


@njit(cache=True, nogil=True)
def _characters(data: np.ndarray, a: int, b: int) -> int:
    n = 0
    for i in range(a, b):
        n += (data[i] & 0xC0) != 0x80
    return n


@njit(cache=True, nogil=True)
def _repeated_parts(data: np.ndarray, a: int, b: int, breaks: int) -> tuple[int, int, int]:
    """Parts, repeated parts and characters in those; parts are what stands between runs of at least so many newlines."""
    seen = _table(_count_lines(data, a, b))
    parts, repeated, characters = 0, 0, 0
    begin, at = a, a
    while at <= b:
        run = at
        while run < b and data[run] == _NEWLINE:
            run += 1
        if at == b or run - at >= breaks:
            parts += 1
            if _add(seen, _hash(data, begin, at)) < 0:
                repeated += 1
                characters += _characters(data, begin, at)
            begin = run
            if at == b:
                break
        at = max(run, at + 1)
    return parts, repeated, characters


@njit(cache=True, nogil=True)
def _sums(codes: np.ndarray, chars: np.ndarray, count: int, hashes: np.ndarray, ends: np.ndarray) -> None:
    """Running sums, from which the hash and the length of any n-gram follow in one step: a polynomial in ``_BASE`` over the codes, and
    the characters before each token."""
    hashes[0], ends[0] = np.uint64(0), 0
    for k in range(count):
        hashes[k + 1] = hashes[k] * _BASE + codes[k]
        ends[k + 1] = ends[k] + chars[k]


@njit(cache=True, nogil=True)
def _gram(hashes: np.ndarray, at: int, n: int, power: np.uint64) -> np.uint64:
    h = hashes[at + n] - hashes[at] * power
    return h ^ (h >> _SHIFT)


@njit(cache=True, nogil=True)
def _power(n: int) -> np.uint64:
    out = np.uint64(1)
    for _ in range(n):
        out *= _BASE
    return out


@njit(cache=True, nogil=True)
def _top(hashes: np.ndarray, ends: np.ndarray, count: int, n: int) -> int:
    """Characters, spaces between included, that the commonest n-gram takes; of equally common ones, the first."""
    if count < n:
        return 0
    power, seen = _power(n), _table(count)
    times, first = np.zeros(len(seen), np.int32), np.zeros(len(seen), np.int32)
    most, best = 0, 0
    for k in range(count - n + 1):
        at = _add(seen, _gram(hashes, k, n, power))
        if at >= 0:
            first[at] = k
        else:
            at = -at - 1
        times[at] += 1
        if times[at] > most or (times[at] == most and first[at] < best):
            most, best = times[at], first[at]
    return (ends[best + n] - ends[best] + n - 1) * most


@njit(cache=True, nogil=True)
def _repeated_grams(hashes: np.ndarray, ends: np.ndarray, count: int, n: int) -> int:
    """Characters in n-grams that were there before, each counted once."""
    power, seen = _power(n), _table(count)
    total, k = 0, 0
    while k < count - n + 1:
        if _add(seen, _gram(hashes, k, n, power)) < 0:
            total += ends[k + n] - ends[k]
            k += n
        else:
            k += 1
    return total


@njit(cache=True, nogil=True)
def _trimmed(data: np.ndarray, a: int, b: int, kinds: np.ndarray) -> tuple[int, int]:
    while a < b:
        code, size = _char(data, a)
        if not kinds[code] & SPACE:
            break
        a += size
    while b > a:
        at = b - 1
        while (data[at] & 0xC0) == 0x80:
            at -= 1
        if not kinds[_char(data, at)[0]] & SPACE:
            break
        b = at
    return a, b


@njit(cache=True, nogil=True)
def repetition(data, start, end, kinds, out) -> None:  # type: ignore[no-untyped-def]
    """Gopher's repetition figures into out[n, 13]: shares of repeated paragraphs and lines, of characters in them, of characters in the
    commonest 2- to 4-gram and in repeated 5- to 10-grams."""
    room = (end - start).max() + 1 if len(start) else 1
    codes, chars, marks = np.empty(room, np.uint64), np.empty(room, np.int32), np.empty(room, np.uint8)
    hashes, ends = np.empty(room + 1, np.uint64), np.empty(room + 1, np.int64)
    for i in range(len(start)):
        a, b = start[i], end[i]
        total = max(_characters(data, a, b), 1)
        low, high = _trimmed(data, a, b, kinds)
        parts, repeated, characters = _repeated_parts(data, low, high, 2)
        out[i, 0], out[i, 1] = repeated / parts, characters / total
        parts, repeated, characters = _repeated_parts(data, a, b, 1)
        out[i, 2], out[i, 3] = repeated / parts, characters / total
        count = tokenize(data, a, b, kinds, codes, chars, marks)
        _sums(codes, chars, count, hashes, ends)
        for n in range(2, 5):
            out[i, n + 2] = _top(hashes, ends, count, n) / total
        for n in range(5, 11):
            out[i, n + 2] = _repeated_grams(hashes, ends, count, n) / total


@njit(cache=True, nogil=True)
def fineweb(data, start, end, kinds, short, out) -> None:  # type: ignore[no-untyped-def]
    """FineWeb's figures into out[n, 4]: share of lines that end a sentence, of lines of at most ``short`` characters, of characters in
    repeated lines, newlines a word."""
    room = (end - start).max() + 1 if len(start) else 1
    codes, chars, marks = np.empty(room, np.uint64), np.empty(room, np.int32), np.empty(room, np.uint8)
    for i in range(len(start)):
        a, b = start[i], end[i]
        seen = _table(_count_lines(data, a, b))
        lines, ended, shorts, repeated, total, breaks = 0, 0, 0, 0, 0, 0
        while a <= b:
            at, size, blank, last = a, 0, True, 0
            while at < b and data[at] != _NEWLINE:
                last, width = _char(data, at)
                blank &= (kinds[last] & SPACE) != 0
                size += 1
                at += width
            breaks += at < b
            total += size
            if not blank:
                lines += 1
                ended += (kinds[last] & TERMINAL) != 0
                shorts += size <= short
                if _add(seen, _hash(data, a, at)) < 0:
                    repeated += size
            a = at + 1
        count = tokenize(data, start[i], b, kinds, codes, chars, marks)
        out[i, 0], out[i, 1] = ended / max(lines, 1), shorts / max(lines, 1)
        out[i, 2], out[i, 3] = repeated / max(total, 1), breaks / max(count, 1)


@njit(cache=True, nogil=True)
def _said(data: np.ndarray, at: int, b: int, phrase: np.ndarray) -> bool:
    """Whether a phrase (lower case, ASCII) stands at ``at``, in any case."""
    if at + len(phrase) > b:
        return False
    for k in range(len(phrase)):
        byte = data[at + k]
        if 65 <= byte <= 90:
            byte |= 0x20
        if byte != phrase[k]:
            return False
    return True


@njit(cache=True, nogil=True)
def _holds(data: np.ndarray, a: int, b: int, phrases: np.ndarray, phrase_start: np.ndarray) -> int:
    """Bits of the phrases that a line holds."""
    found = 0
    for at in range(a, b):
        byte = data[at] | 0x20
        for p in range(len(phrase_start) - 1):
            if byte == phrases[phrase_start[p]] and _said(data, at, b, phrases[phrase_start[p] : phrase_start[p + 1]]):
                found |= 1 << p
    return found


@njit(cache=True, nogil=True)
def _without_citation(data: np.ndarray, a: int, b: int) -> int:
    """End of the line without citations such as ``[12]`` at its end."""
    while b > a and data[b - 1] == 93:
        at = b - 2
        while at >= a and 48 <= data[at] <= 57:
            at -= 1
        if at < a or data[at] != 91:
            break
        b = at
    return b


@njit(cache=True, nogil=True)
def _shape(data: np.ndarray, a: int, b: int, kinds: np.ndarray) -> tuple[int, int, int]:
    """Words between white space in a line, characters of the longest, and sentences."""
    words, longest, sentences, length, ended, rest = 0, 0, 0, 0, False, False
    while a < b:
        code, size = _char(data, a)
        a += size
        if kinds[code] & SPACE:
            length = 0
            sentences += ended
            rest &= not ended
            ended = False
            continue
        words += length == 0
        length += 1
        longest = max(longest, length)
        if kinds[code] & TERMINAL:
            ended = True
            # Sentences in Chinese and Japanese follow each other without a space.
            if code > 0x2FFF:
                sentences += 1
                ended = rest = False
        elif kinds[code] & WORD:
            ended, rest = False, True
    return words, longest, sentences + (ended or rest)


@njit(cache=True, nogil=True)
def c4(data, start, end, kinds, phrases, phrase_start, limits, out) -> None:  # type: ignore[no-untyped-def]
    """C4's figures into out[n, 4]: sentences in the lines that are left, share of lines left, and whether such a line holds the first
    phrase (lorem ipsum) or a curly bracket.

    A line is left when it ends a sentence (or in a quotation mark), holds none of the other phrases, has no word of more than
    ``limits[i, 0]`` characters and at least ``limits[i, 1]`` words. phrases: lower case, one after the other.
    """
    for i in range(len(start)):
        at, b = start[i], end[i]
        lines, left, sentences, lorem, curly = 0, 0, 0, 0, 0
        while at < b:
            stop = at
            while stop < b and data[stop] != _NEWLINE:
                stop += 1
            low, high = _trimmed(data, at, stop, kinds)
            at = stop + 1
            lines += 1
            high = _without_citation(data, low, high)
            words, longest, said = _shape(data, low, high, kinds)
            if words == 0 or longest > limits[i, 0] or words < limits[i, 1] or not _ends(data, low, high, kinds):
                continue
            found = _holds(data, low, high, phrases, phrase_start)
            lorem |= found & 1
            for k in range(low, high):
                curly |= data[k] == 123
            if found == 0:
                left += 1
                sentences += said
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = sentences, left / max(lines, 1), lorem, curly


@njit(cache=True, nogil=True)
def _ends(data: np.ndarray, a: int, b: int, kinds: np.ndarray) -> bool:
    """Whether a line ends a sentence, or in a quotation mark, and not in an ellipsis."""
    at = b - 1
    while (data[at] & 0xC0) == 0x80:
        at -= 1
    code = _char(data, at)[0]
    if code == _DOT:
        return not (b - a >= 3 and data[b - 2] == _DOT and data[b - 3] == _DOT)
    return (kinds[code] & TERMINAL) != 0 or code in (34, 39, 0x201D, 0x2019, 0xBB, 0x300D, 0x300F)
