"""What the command line says, and the plan that follows from it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from schemas.errors import ConfigError
from stream.cli.importing.binding import bind
from stream.cli.importing.kinds import KINDS
from stream.cli.importing.mapping import Mapping, mapping_of
from stream.cli.importing.readers import opened
from stream.cli.importing.run import Plan


class Options(msgspec.Struct, frozen=True):
    """The options as they were given; "" and None: not given."""

    mapping: str
    constants: tuple[str, ...]
    url: str
    key: str
    dry_run: bool
    resume: bool
    bad: Path | None
    form: str | None
    encoding: str
    delimiter: str
    decimal: Literal[".", ","] | None
    dates: tuple[str, ...]
    timezone: str
    patience_s: float
    as_json: bool


def plan_of(path: Path, kind: str, options: Options) -> Plan:
    """What is to be done with the file. Raises: ConfigError."""
    source = opened(path, options.form or "", options.encoding, options.delimiter.replace("\\t", "\t"))
    mapping = _adjusted(mapping_of(options.mapping), options)
    return Plan(kind, source, mapping, dict(map(_constant, options.constants)), _version_of(path))


def doubtful(plan: Plan) -> list[str]:
    """Names given with --set that are no field, no column of the file and nothing that the mapping keeps.

    They are sent all the same, as what the user adds of its own; mostly they are misspelt.
    """
    kind = KINDS[plan.kind]
    if not kind.others:
        return []
    known = {*kind.needs, *kind.others, *plan.source.columns}
    for table in plan.mapping.tables(plan.kind):
        known |= {*table.keep, *table.fields}
    return [name for name in plan.constants if name not in known]


def lacks_currency(plan: Plan) -> bool:
    """Whether a CSV file of deals has a column of amounts and nothing that says in which currency they are.

    Raises: ConfigError if the mapping does not go with the file.
    """
    if plan.kind != "opportunities" or not plan.source.columns:
        return False
    constants = frozenset(plan.constants)
    bound = bind(plan.kind, plan.mapping, plan.source.columns, constants=constants, source=str(plan.source.path))
    if bound.table is None:
        said = {bound.own.get(column, column) for column in plan.source.columns}
    else:
        said = {*bound.fields, *bound.table.constants}
    return "amount" in said and "currency" not in said | constants


def _adjusted(mapping: Mapping, options: Options) -> Mapping:
    """The mapping with what the command line says of the file's format."""
    form = msgspec.structs.replace(
        mapping.format,
        decimal=options.decimal or mapping.format.decimal,
        dates=(*options.dates, *mapping.format.dates),
        timezone=options.timezone or mapping.format.timezone,
    )
    return msgspec.structs.replace(mapping, format=form)


def _constant(text: str) -> tuple[str, str]:
    field, equals, value = text.partition("=")
    if not equals or not field:
        raise ConfigError(f"--set {text}: has to be FIELD=VALUE")
    return field.strip(), value.strip()


def _version_of(path: Path) -> str:
    """The time of the file: a row that names no time of its own is a version as of then."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
