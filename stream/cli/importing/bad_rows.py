"""Rows that could not be sent, in a file of the shape that they came in: repair it and import it."""

import csv
from pathlib import Path
from typing import IO, Final

import msgspec

from schemas.errors import ConfigError
from stream.cli.importing.readers import Opened, SourceRow, own_fields

LINE: Final = "touchline_line"
REASON: Final = "touchline_reason"


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

    def add(self, row: SourceRow, reason: str) -> None:
        """Keep a row with its line and reason. Raises: ConfigError if it cannot be written."""
        file = self._opened()
        if self._source.format == "csv":
            writer = csv.writer(file, delimiter=self._source.delimiter, lineterminator="\n")
            writer.writerow([*(row.fields.get(c, "") for c in self._columns()), row.line, reason])
        else:
            whole = own_fields(row.fields) | {LINE: row.line, REASON: reason}
            file.write(msgspec.json.encode(whole).decode() + "\n")

    def flush(self) -> None:
        """Have on disk what was added."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """No more rows come."""
        if self._file is not None:
            self._file.close()

    def _columns(self) -> list[str]:
        return [c for c in self._source.columns if c and c not in (LINE, REASON)]

    def _opened(self) -> IO[str]:
        if self._file is None:
            try:
                self._file = self.place.open("a" if self._append else "w", encoding="utf-8", newline="")
            except OSError as error:
                raise ConfigError(f"bad rows cannot be written to {self.place} ({error.strerror}); see --bad") from None
            if self._source.format == "csv" and not self._append:
                csv.writer(self._file, delimiter=self._source.delimiter, lineterminator="\n").writerow(
                    [*self._columns(), LINE, REASON]
                )
        return self._file
