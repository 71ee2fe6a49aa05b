"""fastText's prediction, compiled, for many texts in one call: the sums and the softmax are what the original does.

Called once a batch it takes a fifth of the time of the extension module, which builds a string for each n-gram and looks it up in a
map. One file on purpose: numba's cache does not notice when a function that another file defines has changed.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LEAST = 0.01
"""Labels less probable than this are not looked for."""
_HIERARCHICAL, _SOFTMAX = 1, 3


@njit(cache=True, nogil=True, inline="always")
def _fold(h, c):  # type: ignore[no-untyped-def]
    """One step of FNV-1a over signed bytes, in 64 bits."""
    return ((h ^ (c | 0xFFFFFF00 if c > 127 else c)) * 16777619) & 0xFFFFFFFF


@njit(cache=True, nogil=True)
def _word(net, buffer, size, h) -> int:  # type: ignore[no-untyped-def]
    """The number of the word in ``buffer[1:size - 1]``, or -1."""
    mask = len(net.word_slot) - 1
    at = h & mask
    while net.word_slot[at] >= 0:
        number = net.word_slot[at]
        first = net.word_start[number]
        if net.word_start[number + 1] - first == size - 2:
            same = True
            for j in range(size - 2):
                same &= net.words[first + j] == buffer[j + 1]
            if same:
                return number
        at = (at + 1) & mask
    return -1


@njit(cache=True, nogil=True, inline="always")
def _push(net, bucket, found, count) -> int:  # type: ignore[no-untyped-def]
    """Put the row of an n-gram's bucket on the list, if it has one."""
    if len(net.ngram_bit) == 0:
        found[count] = len(net.word_start) - 1 + bucket
        return count + 1
    if net.ngram_bit[bucket >> 3] >> (bucket & 7) & 1:
        found[count] = net.ngram_row[bucket]
        return count + 1
    return count


@njit(cache=True, nogil=True)
def _character_ngrams(net, buffer, size, found, count) -> int:  # type: ignore[no-untyped-def]
    """Rows of the n-grams of ``<word>``, counted in characters; ``<`` and ``>`` alone are none."""
    for i in range(size):
        if buffer[i] & 0xC0 == 0x80:
            continue
        h, j, n = 2166136261, i, 1
        while j < size and n <= net.longest:
            h = _fold(h, np.int64(buffer[j]))
            j += 1
            while j < size and buffer[j] & 0xC0 == 0x80:
                h = _fold(h, np.int64(buffer[j]))
                j += 1
            if n >= net.shortest and not (n == 1 and (i == 0 or j == size)):
                count = _push(net, h % net.bucket, found, count)
            n += 1
    return count


@njit(cache=True, nogil=True)
def _word_ngrams(net, hashes, words, found, count) -> int:  # type: ignore[no-untyped-def]
    for i in range(words):
        h = np.uint64(np.int64(np.int32(hashes[i])))
        for j in range(i + 1, min(words, i + net.word_ngrams)):
            h = h * np.uint64(116049371) + np.uint64(np.int64(np.int32(hashes[j])))
            count = _push(net, np.int64(h % np.uint64(net.bucket)), found, count)
    return count


@njit(cache=True, nogil=True)
def _features(net, text, a, b, buffer, hashes, found) -> int:  # type: ignore[no-untyped-def]
    """Rows of everything in a line of text: words, their n-grams, the end of the line."""
    count = words = 0
    p = a
    while p < b:
        while p < b and text[p] <= 32:
            p += 1
        size, h = 1, 2166136261
        while p < b and text[p] > 32:
            buffer[size] = text[p]
            h = _fold(h, np.int64(text[p]))
            size += 1
            p += 1
        if size == 1:
            break
        buffer[0], buffer[size] = 60, 62  # < >
        size += 1
        hashes[words] = h
        words += 1
        number = _word(net, buffer, size, h)
        if number >= 0:
            found[count] = number
            count += 1
        count = _character_ngrams(net, buffer, size, found, count)
    if net.end_of_line >= 0:
        found[count] = net.end_of_line
        count += 1
    hashes[words] = 3617362777  # of </s>
    return _word_ngrams(net, hashes, words + 1, found, count) if net.word_ngrams > 1 else count


@njit(cache=True, nogil=True)
def _insert(label, probability, found, value) -> None:  # type: ignore[no-untyped-def]
    """Into the list of the best, which is sorted; the last one falls off."""
    k = len(label) - 1
    if value <= probability[k]:
        return
    while k > 0 and probability[k - 1] < value:
        probability[k], label[k] = probability[k - 1], label[k - 1]
        k -= 1
    probability[k], label[k] = value, found


@njit(cache=True, nogil=True)
def _dot(a, b):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for j in range(len(a)):
        total += a[j] * b[j]
    return total


@njit(cache=True, nogil=True)
def _descend(net, hidden, nodes, chances, label, probability) -> None:  # type: ignore[no-untyped-def]
    """Down the Huffman tree, wherever a label that is good enough can still be."""
    n = len(net.tree)
    nodes[0], chances[0], depth = n - 1, 1.0, 1
    while depth:
        depth -= 1
        node, chance = nodes[depth], chances[depth]
        if chance < LEAST or chance <= probability[-1]:
            continue
        if net.tree[node, 0] < 0:
            _insert(label, probability, node, chance)
            continue
        f = 1.0 / (1.0 + np.exp(-_dot(net.out[node - (n + 1) // 2], hidden)))
        nodes[depth], chances[depth] = net.tree[node, 0], chance * (1.0 - f + 1e-5)
        nodes[depth + 1], chances[depth + 1] = net.tree[node, 1], chance * (f + 1e-5)
        depth += 2


@njit(cache=True, nogil=True)
def _flat(net, hidden, scores, label, probability) -> None:  # type: ignore[no-untyped-def]
    """Softmax over all labels, or each label's own sigmoid (negative sampling, one against all)."""
    for k in range(len(scores)):
        scores[k] = _dot(net.out[k], hidden)
    top = scores.max()
    total = 0.0
    for k in range(len(scores)):
        scores[k] = np.exp(scores[k] - top) if net.loss == _SOFTMAX else 1.0 / (1.0 + np.exp(-scores[k]))
        total += scores[k]
    for k in range(len(scores)):
        value = scores[k] / total if net.loss == _SOFTMAX else scores[k]
        if value >= LEAST:
            _insert(label, probability, k, value)


@njit(cache=True, nogil=True)
def predict(net, text, start, end, labels, label, probability) -> None:  # type: ignore[no-untyped-def]
    """The most probable labels of each ``text[start:end]``, best first.

    text: words of prose separated by spaces, in UTF-8. labels: how many the model has. label: int32[n, k], set to label numbers (-1:
    no further one of at least LEAST); probability: float32[n, k].
    """
    longest = 0
    for i in range(len(start)):
        longest = max(longest, end[i] - start[i])
    buffer = np.empty(longest + 3, np.uint8)
    hashes = np.empty(longest + 2, np.int64)
    per_character = max(net.longest - max(net.shortest, 1) + 1, 0) + 1
    found = np.empty((2 * longest + 4) * (per_character + max(net.word_ngrams, 1)), np.int64)
    hidden = np.empty(net.rows.shape[1], np.float32)
    nodes, chances = np.empty(2 * labels + 1, np.int64), np.empty(2 * labels + 1, np.float64)
    label[:] = -1
    probability[:] = 0
    for i in range(len(start)):
        count = _features(net, text, start[i], end[i], buffer, hashes, found)
        if count == 0:
            continue
        hidden[:] = 0
        for k in range(count):
            row = net.rows[found[k]]
            for j in range(len(hidden)):
                hidden[j] += row[j]
        hidden *= np.float32(1.0) / np.float32(count)
        if net.loss == _HIERARCHICAL:
            _descend(net, hidden, nodes, chances, label[i], probability[i])
        else:
            _flat(net, hidden, chances[:labels], label[i], probability[i])
