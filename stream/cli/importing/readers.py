"""Files as rows: CSV of any dialect, NDJSON, Parquet. The only module here that reads them."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.errors import ConfigError

FORMATS: Final = ("csv", "ndjson", "parquet")
_BY_SUFFIX: Final = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "ndjson",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
LINE: Final = "touchline_line"
REASON: Final = "touchline_reason"
"""Columns of a file of bad rows beside those of the file that they came from: ours, and no part of the row."""
_DELIMITERS: Final = ",;\t|"
_LONGEST_CELL: Final = 1 << 20
_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_PIECE: Final = 1 << 20
_UNREADABLE: Final = re.compile("[\udc80-\udcff]")
"""What stands for a byte that is no text."""


class SourceRow(msgspec.Struct):
    """One row of a file. ``fault`` says why it is none; then ``fields`` has what can be shown of it."""

    line: int
    """Of its beginning, from 1; of Parquet the number of the row."""
    fields: dict[str, Any]
    fault: str = ""
    cells: list[str] = []
    """All of it, of a row of CSV with more cells than the header."""


class Opened(msgspec.Struct, frozen=True):
    """A file before it is read."""

    path: Path
    format: str
    encoding: str = ""
    delimiter: str = ""
    columns: tuple[str, ...] = ()
    """Of CSV; the others name them row by row."""


def opened(path: Path, form: str, encoding: str, delimiter: str) -> Opened:
    """Look at a file. Raises: ConfigError if it cannot be read as what it is said to be."""
    form = form or _BY_SUFFIX.get(path.suffix.lower(), "")
    if not form:
        raise ConfigError(f"{path}: the extension does not say what it is; give --format csv, ndjson or parquet")
    if form != "csv":
        return Opened(path, form)
    encoding = encoding or _encoding_of(path)
    try:
        with path.open(encoding=encoding, newline="") as file:
            header = next(csv.reader(file, delimiter=delimiter or _delimiter_of(file)), [])
    except (UnicodeError, LookupError, csv.Error) as error:
        raise ConfigError(f"{path}: no CSV in {encoding} ({error}); see --encoding and --delimiter") from None
    with path.open(encoding=encoding, newline="") as file:
        delimiter = delimiter or _delimiter_of(file)
    columns = tuple(column.strip() for column in header)
    if not any(columns):
        raise ConfigError(f"{path}: the first line has no column names")
    twice = sorted({c for c in columns if c and columns.count(c) > 1})
    if twice:
        raise ConfigError(f"{path}: column {twice[0]!r} is there twice; rename one of them")
    return Opened(path, form, encoding, delimiter, columns)


def rows_of(file: Opened) -> Iterator[SourceRow]:
    """All rows, broken ones as a fault."""
    if file.format == "csv":
        return _csv_rows(file)
    return _ndjson_rows(file) if file.format == "ndjson" else _parquet_rows(file)


def _encoding_of(path: Path) -> str:
    """By its mark; else UTF-8 if all of it is, else what Excel writes on Windows."""
    import codecs  # noqa: PLC0415

    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        piece = file.read(_PIECE)
        for mark, encoding in _BOMS:
            if piece.startswith(mark):
                return encoding
        try:
            while piece:
                decoder.decode(piece)
                piece = file.read(_PIECE)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _delimiter_of(file: io.TextIOBase) -> str:
    """The one that is most in the header, outside quotes. The file is at its beginning afterwards, too."""
    header = file.readline()
    file.seek(0)
    bare = "".join(header.split('"')[::2])
    return max(_DELIMITERS, key=bare.count)


def _csv_rows(opened: Opened) -> Iterator[SourceRow]:
    csv.field_size_limit(_LONGEST_CELL)
    # Bytes that are none of the encoding stay, as what no text has, so that a row with some can be told and kept.
    errors = "replace" if "16" in opened.encoding else "surrogateescape"
    with opened.path.open(encoding=opened.encoding, newline="", errors=errors) as file:
        reader = csv.reader(file, delimiter=opened.delimiter)
        next(reader)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield SourceRow(line, {}, f"no row of CSV: {error}")
                continue
            if any(cells):
                yield _csv_row(line, cells, opened)


def _csv_row(line: int, cells: list[str], opened: Opened) -> SourceRow:
    columns = opened.columns
    fields = {column: cell.strip() for column, cell in zip(columns, cells, strict=False) if column}
    if any(map(_UNREADABLE.search, cells)):
        return SourceRow(line, fields, f"not all of it is {opened.encoding}; see --encoding")
    if len(cells) == len(columns):
        return SourceRow(line, fields)
    fault = f"the row has {len(cells)} cells, the header {len(columns)}"
    return SourceRow(line, fields, fault, cells if len(cells) > len(columns) else [])


def _ndjson_rows(opened: Opened) -> Iterator[SourceRow]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    with opened.path.open("rb") as file:
        if file.read(_PIECE).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
            yield from _array_rows(opened)
            return
        file.seek(0)
        for line, text in enumerate(file, 1):
            bare = text.removeprefix(b"\xef\xbb\xbf").strip()
            if not bare:
                continue
            try:
                yield SourceRow(line, flat(decode(bare)))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                shown = {"text": bare.decode("utf-8", "replace")}
                yield SourceRow(line, shown, "the line is no JSON object (NDJSON has one a line)")


def _array_rows(opened: Opened) -> Iterator[SourceRow]:
    """A JSON array of objects, numbered from 1. It has to be read whole."""
    try:
        found = msgspec.json.decode(opened.path.read_bytes().removeprefix(b"\xef\xbb\xbf"), type=list[Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{opened.path}: begins like a JSON array and is none ({error})") from None
    for number, one in enumerate(found, 1):
        if isinstance(one, dict):
            yield SourceRow(number, flat(one))
        else:
            yield SourceRow(number, {"text": str(one)}, "the element is no JSON object")


def flat(fields: dict[str, Any]) -> dict[str, Any]:
    """With the members of members also under their path, which is how a mapping names them."""
    nested = [(name, inner) for name, inner in fields.items() if isinstance(inner, dict)]
    if not nested:
        return fields
    inside = {f"{name}.{path}": cell for name, inner in nested for path, cell in flat(inner).items()}
    return inside | fields


def own_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """What ``flat`` was given."""
    return {name: cell for name, cell in fields.items() if "." not in name or name.partition(".")[0] not in fields}


def _parquet_rows(opened: Opened) -> Iterator[SourceRow]:
    """Through ClickHouse's own reader, which the product has anyway."""
    from chdb.session import Session  # noqa: PLC0415  # a second to load, for Parquet only

    settings = (
        "SETTINGS output_format_json_quote_decimals = 1, output_format_json_quote_64bit_integers = 0,"
        " date_time_output_format = 'iso', output_format_json_named_tuples_as_objects = 1"
    )
    session = Session()
    try:
        converted = _parquet_cells(opened.path, session)
        pieces = session.send_query(
            f"SELECT * FROM file({{path:String}}, 'Parquet') {settings}",  # noqa: S608  # the path is a parameter
            "JSONEachRow",
            params={"path": str(opened.path.resolve())},
        )
        number = 0
        rest = b""
        for piece in pieces:
            *lines, rest = (rest + piece.bytes()).split(b"\n")
            for text in filter(None, lines):
                number += 1
                yield SourceRow(number, flat(converted(json.loads(text))))
        if rest.strip():
            yield SourceRow(number + 1, flat(converted(json.loads(rest))))
    except RuntimeError as error:
        raise ConfigError(f"{opened.path}: no Parquet file ({str(error).splitlines()[0][:200]})") from None
    finally:
        session.close()


def _parquet_cells(path: Path, session: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What the JSON of a row no longer tells: decimals are numbers, however files write theirs, and times may lack a zone."""
    found = session.query(
        "SELECT tupleElement(c, 'name') AS name, tupleElement(c, 'logical_type') AS type"
        " FROM file({path:String}, 'ParquetMetadata') ARRAY JOIN columns AS c WHERE tupleElement(c, 'path') = name",
        "JSONEachRow",
        params={"path": str(path.resolve())},
    )
    types = {one["name"]: one["type"] for one in map(json.loads, found.data().splitlines())}
    decimals = [name for name, kind in types.items() if kind.startswith("Decimal(")]
    local = [name for name, kind in types.items() if "isAdjustedToUTC=false" in kind]

    def converted(row: dict[str, Any]) -> dict[str, Any]:
        for name in decimals:
            if isinstance(row.get(name), str):
                row[name] = Decimal(row[name])
        for name in local:
            if isinstance(row.get(name), str):
                row[name] = row[name].removesuffix("Z")
        return row

    return converted
