"""Rows that could not be sent, in a file of the shape that they came in: repair it and import it."""

import csv
from pathlib import Path
from typing import IO, Final

import msgspec

from schemas.errors import ConfigError
from stream.cli.importing.readers import LINE, REASON, Opened, SourceRow, own_fields

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
"""Decimals of Parquet stay numbers, which no ``--decimal`` concerns."""


def place_of(source: Opened) -> Path:
    """Beside the file."""
    return source.path.with_name(f"{source.path.stem}.bad.{'csv' if source.format == 'csv' else 'ndjson'}")


class BadRows:
    """The file; it is made when the first row comes."""

    def __init__(self, place: Path, source: Opened, *, append: bool) -> None:
        self.place = place
        self._source = source
        self._append = append and place.exists()
        self._file: IO[str] | None = None
        self._held: list[tuple[SourceRow, str]] = []

    def add(self, row: SourceRow, reason: str) -> None:
        """Keep a row with its line and reason until ``write``."""
        self._held.append((row, reason))

    def write(self) -> None:
        """Have in the file what was added. Raises: ConfigError if it cannot be written."""
        for row, reason in self._held:
            self._write(row, reason)
        self._held.clear()
        if self._file is not None:
            self._file.flush()

    def _write(self, row: SourceRow, reason: str) -> None:
        file = self._opened()
        if self._source.format == "csv":
            writer = csv.writer(file, delimiter=self._source.delimiter, lineterminator="\n")
            writer.writerow([*self._cells(row), row.line, reason])
        else:
            whole = own_fields(row.fields) | {LINE: row.line, REASON: reason}
            file.write(_encode(whole).decode() + "\n")

    def close(self) -> None:
        """No more rows come; what was not written is not (an import that goes on will find it again)."""
        if self._file is not None:
            self._file.close()

    def _cells(self, row: SourceRow) -> list[str]:
        """All cells, also those beyond the header: whoever repairs the row has to see what it said."""
        columns = self._source.columns
        told = sum(c in (LINE, REASON) for c in columns)  # of an earlier import of a file like ours: the last ones
        if not row.cells:
            return [row.fields.get(c, "") for c in self._columns()]
        return row.cells[: len(row.cells) - told]

    def _columns(self) -> list[str]:
        return [c for c in self._source.columns if c not in (LINE, REASON)]

    def _opened(self) -> IO[str]:
        if self._file is None:
            try:
                self._file = self.place.open(
                    "a" if self._append else "w", encoding="utf-8", newline="", errors="surrogateescape"
                )
            except OSError as error:
                raise ConfigError(f"bad rows cannot be written to {self.place} ({error.strerror}); see --bad") from None
            if self._source.format == "csv" and not self._append:
                csv.writer(self._file, delimiter=self._source.delimiter, lineterminator="\n").writerow(
                    [*self._columns(), LINE, REASON]
                )
        return self._file
