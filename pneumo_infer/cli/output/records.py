"""Write predictions as a table, JSON, JSON lines or CSV. All formats are streamed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING, Any, TextIO

from pneumo_infer.cli.interrupts import holding_interrupts
from pneumo_infer.cli.output.console import HEADER, table_row
from pneumo_infer.files.csv_files import CsvWriter
from pneumo_infer.prediction import RECORD_FIELDS
from pneumo_infer.printable import printable

if TYPE_CHECKING:
    from pneumo_infer.prediction import Prediction


class Format(StrEnum):
    """An output format for records."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


def to_json(value: Any) -> str:
    """Format as JSON on one line. It never contains `NaN` or `Infinity`, which Python would write but are not JSON."""
    return json.dumps(value, allow_nan=False)


def write_records(predictions: Iterable[Prediction], form: Format, out: TextIO) -> None:
    """Write predictions as they arrive. JSON is one object for a single film and a list for several."""
    {
        Format.TABLE: _write_table,
        Format.JSON: _write_json,
        Format.JSONL: _write_jsonl,
        Format.CSV: _write_csv,
    }[form](iter(predictions), out)


def _write_table(predictions: Iterator[Prediction], out: TextIO) -> None:
    out.write(HEADER)
    for prediction in predictions:
        out.write(table_row(prediction, out))
        out.flush()


def _write_json(predictions: Iterator[Prediction], out: TextIO) -> None:
    records = (to_json(prediction.to_dict()) for prediction in predictions)
    first, second = next(records, None), next(records, None)
    if first is None:
        out.write("[]\n")
    elif second is None:
        out.write(f"{first}\n")
    else:
        out.write(f"[\n{first}")
        for record in chain([second], records):
            out.write(f",\n{record}")
        out.write("\n]\n")


def _write_jsonl(predictions: Iterator[Prediction], out: TextIO) -> None:
    for prediction in predictions:
        with holding_interrupts():
            out.write(to_json(prediction.to_dict()) + "\n")
            out.flush()


def _write_csv(predictions: Iterator[Prediction], out: TextIO) -> None:
    writer = CsvWriter(out)
    to_terminal = out.isatty()
    writer.write_row(RECORD_FIELDS)
    for prediction in predictions:
        cells = prediction.to_dict().values()
        with holding_interrupts():
            writer.write_row(map(_escape, cells) if to_terminal else cells)
            out.flush()


def _escape(cell: Any) -> Any:
    return printable(cell) if isinstance(cell, str) else cell
