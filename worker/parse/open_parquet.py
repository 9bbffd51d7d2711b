"""Parquet as a container: a JSON object for each row, its names from the schema.

As with other tables, which columns mean what is the JSON parser's business. Needs pyarrow, the extra
`copydesk[parquet]`: it is larger than all other libraries together, and few sources come as Parquet.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, BinaryIO

import msgspec

from worker.errors import Rejected
from worker.model import Document
from worker.parse.detect import JSON
from worker.parse.open_table import refuse_other_columns
from worker.parse.unpacking import Budget, Part, part_name

_ROWS_AT_ONCE = 64
"""Rows that are unpacked together: articles may be long, and all of them are in memory."""


def open_parquet(document: Document, stream: BinaryIO, budget: Budget) -> Iterator[Part]:
    """A table whose columns look like articles (or are named by the source's map) -> its rows.

    `member` is the row from 0. Raises Rejected `unsupported_format` for any other table and where
    pyarrow is missing, `truncated_container` for what is damaged, `expansion_limit`, `too_large`.
    """
    arrow, parquet = _pyarrow()
    whole = _seekable(stream, budget)
    try:
        file = parquet.ParquetFile(whole)
        refuse_other_columns(list(file.schema_arrow.names), document)
        yield from _parts(document, file, budget)
    except OSError as error:
        if error.errno is not None:  # pyarrow's own errors on damaged bytes are OSErrors without a number
            raise
        raise Rejected("truncated_container", _first_line(error)) from error
    except (arrow.ArrowException, ValueError, OverflowError) as error:
        raise Rejected("truncated_container", _first_line(error)) from error


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415  # an optional extra
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise Rejected("unsupported_format", "Parquet needs pyarrow: pip install 'copydesk[parquet]'") from error
    return pa, pq


def _seekable(stream: BinaryIO, budget: Budget) -> BinaryIO:
    """The stream itself, or its bytes where it cannot be read from its end, as Parquet must be."""
    if stream.seekable():
        return stream
    content = stream.read(budget.limits.member_bytes + 1)
    if len(content) > budget.limits.member_bytes:
        raise Rejected("too_large", f"Parquet of more than {budget.limits.member_bytes} bytes inside a container")
    return io.BytesIO(content)


def _parts(document: Document, file: Any, budget: Budget) -> Iterator[Part]:
    index = 0
    for group in range(file.num_row_groups):
        facts = file.metadata.row_group(group)
        packed = sum(facts.column(column).total_compressed_size for column in range(facts.num_columns))
        budget.take_bytes(0, facts.total_byte_size, packed)
        unpacked = 0
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, row_groups=[group], use_threads=False):
            unpacked += batch.nbytes
            # What the file says of its sizes need not be true, and a dictionary unpacks to any length.
            budget.take_bytes(batch.nbytes, unpacked, packed)
            for row in batch.to_pylist():
                yield _part(document, index, row)
                index += 1


def _part(document: Document, index: int, row: dict[str, Any]) -> Part:
    cells = {name: value for name, value in row.items() if value is not None}
    name = part_name(document, index)
    template = msgspec.structs.replace(document, member=name, media_type=JSON, encoding_declared=None)
    return Part(template, iter((json.dumps(cells, ensure_ascii=False, default=_plain).encode("utf-8", "replace"),)))


def _plain(value: Any) -> Any:
    """What JSON has no form for: times as ISO 8601, bytes as text where they are text, the rest as written."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    return str(value)


def _first_line(error: Exception) -> str:
    return f"damaged: {(str(error).strip() or type(error).__name__).splitlines()[0][:200]}"
