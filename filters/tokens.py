"""How many tokens a record has, by a tokenizer given by its file; the manifest tells their sum over kept records."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.batch import CHANNELS, Batch
from filters.contract import KEPT, ConfigError, Filter, Judgement, Options

BATCH_BYTES = 4 << 20
"""Text encoded at a time: what the tokenizer returns takes several times as much memory as its text."""

Channel = Literal["content", "reasoning", "tool_call", "tool_result", "tool_definition", "metadata"]


class TokensOptions(Options, frozen=True, kw_only=True):
    tokenizer: Annotated[
        str, msgspec.Meta(description="Path of a `tokenizer.json` (Hugging Face `tokenizers`); must be given.")
    ] = ""
    channels: Annotated[
        tuple[Channel, ...],
        msgspec.Meta(
            description="Which texts count: all that a model is trained on, not the other columns (`metadata`)."
        ),
    ] = ("content", "reasoning", "tool_call", "tool_result", "tool_definition")
    most: Annotated[int, msgspec.Meta(description="Tokens a record may have; 0: as many as it has.", ge=0)] = 0
    least: Annotated[int, msgspec.Meta(description="Tokens a record must have.", ge=0)] = 0
    sample: Annotated[
        int,
        msgspec.Meta(
            description="Count one record in this many, chosen by its id, and estimate the total with an interval; 0 counts all.",
            ge=0,
        ),
    ] = 0
    seed: Annotated[int, msgspec.Meta(description="Another seed, another sample.", ge=0, le=2**32)] = 0


class TokensFilter(Filter):
    """Texts are encoded one by one, without special tokens, and never cut; a chat template's own tokens are not counted."""

    name = "tokens"
    summary = (
        "Tokens of each record by a tokenizer of yours; their total, or an estimate of it; bounds a record must keep."
    )
    reasons = {
        "too_many_tokens": "The record has more tokens than the recipe allows.",
        "too_few_tokens": "The record has fewer tokens than the recipe asks for.",
    }
    scores: ClassVar = {"tokens": pa.int64(), "bytes": pa.int64()}
    summed: ClassVar = ("tokens", "bytes")
    packages: ClassVar = ("tokenizers",)
    measured_with: ClassVar = ("tokenizer", "channels", "sample", "seed")
    Options = TokensOptions
    options: TokensOptions

    def __init__(self, options: TokensOptions | None = None) -> None:
        super().__init__(options)
        _check(self.options)
        self._tokenizer = load(self.options.tokenizer)
        self._channels = tuple(CHANNELS.index(c) for c in self.options.channels)

    @classmethod
    def assets(cls, options: Any) -> Mapping[str, str]:
        path = _file(options.tokenizer)
        return {path.name: _sha256(str(path), path.stat().st_mtime_ns)}

    def judge(self, batch: Batch) -> Judgement:
        """tokens: null for a record that is not in the sample; bytes: of the texts that count."""
        segments = batch.segments
        chosen = segments.where(channels=self._channels)
        record = segments.record[chosen]
        size = np.zeros(len(batch), np.int64)
        np.add.at(size, record, segments.length[chosen])
        sampled = self._sampled(batch)
        tokens = np.zeros(len(batch), np.int64)
        for part in _parts(chosen[sampled[record]], segments.length):
            encoded = self._tokenizer.encode_batch_fast([segments.text(i) for i in part], add_special_tokens=False)
            np.add.at(tokens, segments.record[part], np.fromiter(map(len, encoded), np.int64, len(part)))
        scores = {"tokens": pa.array(tokens, mask=~sampled), "bytes": size}
        return Judgement(_verdicts(tokens, sampled, self.options), scores)

    @classmethod
    def decide(cls, scores: Mapping[str, Any], options: Any) -> np.ndarray:
        _check(options)
        tokens = np.asarray(scores["tokens"], np.float64)  # a column with nulls comes as floats
        return _verdicts(tokens, ~np.isnan(tokens), options)

    @classmethod
    def totals(cls, scores: Mapping[str, pa.Array]) -> Mapping[str, int]:
        """The sums, and of the records whose tokens were counted what a ratio estimate needs: how many, their bytes, and the sums
        of squares and products. Whole numbers of any size, so that they can be added and taken away exactly."""
        seen = pc.is_valid(scores["tokens"])
        tokens = scores["tokens"].filter(seen).to_numpy(zero_copy_only=False).astype(object)
        size = scores["bytes"].filter(seen).to_numpy(zero_copy_only=False).astype(object)
        return {
            **super().totals(scores),
            "sampled": len(tokens),
            "sampled_bytes": int(size.sum()),
            "tokens_squared": int((tokens * tokens).sum()),
            "tokens_by_bytes": int((tokens * size).sum()),
            "bytes_squared": int((size * size).sum()),
        }

    def _sampled(self, batch: Batch) -> np.ndarray:
        """Which records are counted: by their ids, so the same wherever a record stands."""
        if self.options.sample < 2:
            return np.ones(len(batch), bool)
        key = self.options.seed.to_bytes(16, "big", signed=True)
        ids = (hashlib.blake2b(str(i).encode(), digest_size=8, key=key).digest() for i in batch.ids.to_pylist())
        ranks = np.fromiter((int.from_bytes(d, "big") for d in ids), np.uint64, len(batch))
        return ranks % np.uint64(self.options.sample) == 0


def load(path: str) -> Any:
    """The tokenizer of a file, without truncation or padding. Raises ConfigError with what to do about it."""
    # Of the tokenizer's own threads every worker would start as many as there are cores.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    file = _file(path)
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise ConfigError("the package tokenizers is not installed: pip install 'corpusmill[tokens]'") from None
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the package raises Exception itself
        told = " ".join(str(error).split())[:120]
        raise ConfigError(f"tokens.tokenizer: {path} is no tokenizer.json of the package tokenizers ({told})") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _check(options: TokensOptions) -> None:
    if options.sample > 1 and (options.most or options.least):
        raise ConfigError(
            "tokens: with sample only some records are counted, so most and least cannot hold for all; set sample to 0"
        )
    if options.most and options.least > options.most:
        raise ConfigError(
            f"tokens: least ({options.least}) is more than most ({options.most}): no record could be kept"
        )


def _file(path: str) -> Path:
    if not path:
        raise ConfigError("tokens.tokenizer is not set: give the path of a tokenizer.json")
    file = Path(path)
    if file.suffix == ".model":
        raise ConfigError(
            f"tokens.tokenizer: {path} is a SentencePiece model; save it as tokenizer.json first "
            "(transformers' AutoTokenizer(…).save_pretrained writes one)"
        )
    if not file.is_file():
        raise ConfigError(f"tokens.tokenizer: there is no file {path}")
    return file


@cache
def _sha256(path: str, _changed: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parts(chosen: np.ndarray, length: np.ndarray) -> Iterator[np.ndarray]:
    """Segments in runs of about BATCH_BYTES; one that is longer is a run of its own."""
    if not len(chosen):
        return
    at = np.cumsum(length[chosen]) // BATCH_BYTES
    yield from np.split(chosen, np.flatnonzero(np.diff(at)) + 1)


def _verdicts(tokens: np.ndarray, known: np.ndarray, options: TokensOptions) -> np.ndarray:
    reason = np.full(len(tokens), KEPT, np.int16)
    reason[known & (tokens < options.least)] = 1
    if options.most:
        reason[known & (tokens > options.most)] = 0
    return reason
