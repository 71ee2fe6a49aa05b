"""Any of our filters in a plain datatrove pipeline, between datatrove's own readers and writers.

LocalPipelineExecutor([JsonlReader("in/"), RecordFilter("repetition", window=256), JsonlWriter("out/")]).run()
"""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
from datatrove.data import Document
from datatrove.pipeline.filters.base_filter import BaseFilter
from datatrove.pipeline.writers.disk_base import DiskWriter

from filters.batch import Batch
from filters.contract import ConfigError, Judgement
from pipelines import edits
from pipelines.recipe import stage
from pipelines.schemas.read import Read, read
from pipelines.schemas.recognise import Columns

_NO_LIMIT = 1 << 62


class RecordFilter(BaseFilter):
    """A corpusmill filter over datatrove documents: the reason it drops one for is datatrove's ``filter_reason``.

    A document is judged by its text; where ``messages`` names a metadata key, by that list of messages (and ``tools``, when
    the metadata has it) instead. Edits of a scrubbing filter change the document's text. Options are the filter's own, as in
    a recipe.
    """

    def __init__(
        self,
        filter: str,
        *,
        messages: str | None = None,
        exclusion_writer: DiskWriter | None = None,
        batch_size: int = 256,
        **options: Any,
    ) -> None:
        super().__init__(exclusion_writer, batch_size)
        made = stage(filter, options)
        if made.filter.compares:
            raise ConfigError(
                f"{filter} compares all records, which a step of a datatrove pipeline never has: use it in a recipe"
            )
        self.name, self.messages = f"corpusmill {filter}", messages
        self.filter_name, self.options = filter, msgspec.to_builtins(made.options)
        self._built: Any = None

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        return self.filter_batch([doc])[0]

    def filter_batch(self, batch: list[Document]) -> list[bool | tuple[bool, str]]:
        """The verdict on each document; the text of those that an edit touches is changed in place."""
        if self._built is None:
            self._built = stage(self.filter_name, self.options).build()
        laid = self._laid(batch)
        judgement = self._built.judge(laid.batch)
        if len(judgement.edits) and self.messages is None:
            self._edit(batch, laid, judgement)
        reasons = list(self._built.reasons)
        return [True if code < 0 else (False, reasons[code]) for code in judgement.reason]

    def _laid(self, documents: list[Document]) -> Read:
        if self.messages is None:
            rows = pa.table({"text": pa.array([d.text for d in documents], pa.large_string())})
            columns = Columns("plain text", {"text": "text"})
        else:
            keys = (self.messages, "tools")
            rows = pa.table({k: pa.array([_json(d.metadata.get(k)) for d in documents], pa.string()) for k in keys})
            columns = Columns("messages", {"messages": self.messages, "tools": "tools"})
        return read(rows.combine_chunks().to_batches()[0], columns, max_record_bytes=_NO_LIMIT)

    @staticmethod
    def _edit(documents: list[Document], laid: Read, judgement: Judgement) -> None:
        batch: Batch = laid.batch
        everyone = batch.record_start[1:] > -1
        changed = edits.apply(laid, [judgement.edits], everyone).column("text")
        touched = {int(batch.segments.record[s]) for s in judgement.edits.segment}
        for record in touched:
            documents[record].text = changed[record].as_py()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_built": None}


def _json(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()
