"""A fastText model's file as arrays: labels, dictionary and matrices, for the compiled prediction.

Format (fastText 0.9.2, ``FastText::loadModel``): a magic number, a version, the arguments, the dictionary, then the input matrix
and the output matrix, each as it is or quantised (a code a subvector, 256 centroids a subquantiser).
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from filters.contract import ConfigError

_MAGIC = struct.pack("<i", 793712314)
_ARGUMENTS = struct.Struct("<13id")
"""Version, then dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate, and t."""
_COUNTS = struct.Struct("<3i2q")
"""Entries, words, labels, tokens, pruned n-grams (-1: none were pruned)."""
_CENTROIDS = 256
_SUPERVISED = 3
MOST_NGRAMS = 64
"""Longest n-grams of characters or words that are believed."""
HIERARCHICAL, NEGATIVE, SOFTMAX, ONE_VS_ALL = 1, 2, 3, 4
_LEFT, _RIGHT = 0, 1


class Network(NamedTuple):
    """What a prediction needs. Words are bytes ``word_start[i]:word_start[i + 1]`` of ``words``; ``word_slot`` finds them by hash.

    ngram_bit: a bit a bucket, set where the n-gram has a row; ngram_row: that row, empty where every bucket has one.
    rows: float32[words + n-grams, dim]; out: float32[labels, dim]; tree: int32[2 * labels - 1, 2], the children of each node of the
    Huffman tree (-1 at a leaf), for hierarchical softmax.
    """

    words: np.ndarray
    word_start: np.ndarray
    word_slot: np.ndarray
    end_of_line: int
    bucket: int
    shortest: int
    longest: int
    word_ngrams: int
    ngram_bit: np.ndarray
    ngram_row: np.ndarray
    rows: np.ndarray
    out: np.ndarray
    loss: int
    tree: np.ndarray


def load(path: Path) -> tuple[list[str], Network]:
    """Labels and network. Raises ConfigError for a file that is no supervised fastText model, or is cut short."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _load(data, path)
    except (ValueError, IndexError, struct.error) as error:
        raise ConfigError(f"language: {path} is not a fastText model, or is cut short: {error}") from None


class _Reader:
    """Takes things off a file, front to back."""

    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self.data, self.path, self.at = data, path, 0

    def unpack(self, form: str | struct.Struct) -> tuple:
        form = struct.Struct(form) if isinstance(form, str) else form
        self.at += form.size
        return form.unpack_from(self.data, self.at - form.size)

    def array(self, dtype: type, count: int) -> np.ndarray:
        start, size = self.at, np.dtype(dtype).itemsize * count
        if count < 0 or start + size > len(self.data):
            raise ValueError("a matrix ends early")
        self.at += size
        # From the file again: pages of a large model are shared between workers, and read when they are needed.
        return np.memmap(self.path, dtype, "r", start, (count,)) if size else np.empty(0, dtype)

    def name(self) -> bytes:
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise ValueError("the dictionary ends early")
        start, self.at = self.at, end + 1
        return self.data[start:end]

    def matrix(self, quantised: bool) -> np.ndarray:
        if quantised:
            return self._dequantised()
        m, n = self.unpack("<2q")
        return self.array(np.float32, m * n).reshape(m, n)

    def _dequantised(self) -> np.ndarray:
        normed, m, n, size = self.unpack("<?2qi")
        codes = self.array(np.uint8, size).reshape(m, -1)
        rows = self._decode(codes, n)
        if normed:
            rows *= self._decode(self.array(np.uint8, m).reshape(m, 1), 1)
        return rows

    def _decode(self, codes: np.ndarray, n: int) -> np.ndarray:
        dim, parts, width, last = self.unpack("<4i")
        if dim != n or codes.shape[1] != parts:
            raise ValueError("a quantised matrix of odd size")
        centroids = self.array(np.float32, dim * _CENTROIDS)
        rows = np.empty((len(codes), n), np.float32)
        for k in range(parts):
            wide = last if k == parts - 1 else width
            first = k * _CENTROIDS * width
            table = centroids[first : first + _CENTROIDS * wide].reshape(_CENTROIDS, wide)
            rows[:, k * width : k * width + wide] = table[codes[:, k]]
        return rows


def _load(data: mmap.mmap, path: Path) -> tuple[list[str], Network]:
    if data[:4] != _MAGIC:
        raise ValueError("it does not begin like one")
    reader = _Reader(data, path)
    reader.at = len(_MAGIC)
    version, dim, _, _, _, _, word_ngrams, loss, kind, bucket, shortest, longest, _, _ = reader.unpack(_ARGUMENTS)
    entries, n_words, n_labels, _, pruned = reader.unpack(_COUNTS)
    if not 0 <= longest <= MOST_NGRAMS or not 0 <= word_ngrams <= MOST_NGRAMS or (longest and bucket < 1):
        raise ValueError("its arguments make no sense")
    if kind != _SUPERVISED or n_labels < 1 or n_words < 0 or n_words + n_labels != entries or version > 12:
        raise ValueError("it was not trained to label text")
    names, counts = [], []
    for _ in range(entries):
        names.append(reader.name())
        counts.append(reader.unpack("<qb")[0])
    kept = np.array([reader.unpack("<2i") for _ in range(max(pruned, 0))], np.int64).reshape(-1, 2)
    quantised = reader.unpack("<?")[0]
    rows = reader.matrix(quantised)
    out = reader.matrix(reader.unpack("<?")[0] and quantised)
    if rows.shape[1] != dim or out.shape[1] != dim or len(out) < n_labels or len(rows) < n_words:
        raise ValueError("matrices of odd size")
    bit, row = _ngrams(kept, pruned, bucket, n_words, len(rows))
    words, start, slot = _dictionary(names[:n_words])
    tree = _huffman(counts[n_words:]) if loss == HIERARCHICAL else np.empty((0, 2), np.int32)
    end = names.index(b"</s>") if b"</s>" in names[:n_words] else -1
    if version == 11:
        longest = 0  # older models had no character n-grams, whatever they say
    network = Network(words, start, slot, end, bucket, shortest, longest, word_ngrams, bit, row, rows, out, loss, tree)
    return [name.decode("utf-8", "replace") for name in names[n_words:]], network


def _ngrams(kept: np.ndarray, pruned: int, bucket: int, n_words: int, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Which buckets have a row, and which one: a model that was cut down lists them."""
    if pruned < 0:
        if n_rows < n_words + bucket:
            raise ValueError("a matrix of odd size")
        return np.empty(0, np.uint8), np.empty(0, np.int32)
    if len(kept) and (kept.min() < 0 or kept[:, 0].max() >= bucket or n_words + kept[:, 1].max() >= n_rows):
        raise ValueError("n-grams that do not exist")
    bit, row = np.zeros(bucket // 8 + 1, np.uint8), np.zeros(bucket, np.int32)
    np.bitwise_or.at(bit, kept[:, 0] >> 3, (1 << (kept[:, 0] & 7)).astype(np.uint8))
    row[kept[:, 0]] = n_words + kept[:, 1]
    return bit, row


def fnv(word: bytes) -> int:
    """FNV-1a as fastText has it: bytes are signed."""
    h = 2166136261
    for c in word:
        h = ((h ^ (c if c < 128 else c | 0xFFFFFF00)) * 16777619) & 0xFFFFFFFF
    return h


def _dictionary(words: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The words' bytes, where each begins, and an open-addressed table of their numbers (-1: free) by hash."""
    start = np.zeros(len(words) + 1, np.int64)
    np.cumsum([len(w) for w in words], out=start[1:])
    size = 1 << (2 * len(words) + 1).bit_length()
    slot = np.full(size, -1, np.int32)
    for number, word in enumerate(words):
        at = fnv(word) & (size - 1)
        while slot[at] >= 0:
            at = (at + 1) & (size - 1)
        slot[at] = number
    return np.frombuffer(b"".join(words) or b"\0", np.uint8), start, slot


def _huffman(counts: list[int]) -> np.ndarray:
    """The tree over labels sorted by falling count, as ``HierarchicalSoftmaxLoss::buildTree`` makes it."""
    n = len(counts)
    weight = np.full(2 * n - 1, 10**15, np.int64)
    weight[:n] = counts
    tree = np.full((2 * n - 1, 2), -1, np.int32)
    leaf, node = n - 1, n
    for parent in range(n, 2 * n - 1):
        for side in (_LEFT, _RIGHT):
            if leaf >= 0 and weight[leaf] < weight[node]:
                tree[parent, side], leaf = leaf, leaf - 1
            else:
                tree[parent, side], node = node, node + 1
        weight[parent] = weight[tree[parent]].sum()
    if (tree[n:] >= np.arange(n, 2 * n - 1)[:, None]).any():
        raise ValueError("counts that no tree can be made from")
    return tree
