"""``touchline import``: files of CRM objects, costs, exchange rates and events."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from schemas.errors import TouchlineError
from stream.cli.options import patience_option, settings_options, url_option
from stream.settings import Settings

if TYPE_CHECKING:
    from stream.cli.importing.bad_rows import BadRows
    from stream.cli.importing.bookmark import Bookmark
    from stream.cli.importing.options import Options
    from stream.cli.importing.run import Plan
    from stream.cli.importing.show import Summary

_KINDS = ("accounts", "contacts", "opportunities", "activities", "costs", "fx", "events")
_FORMATS = ("csv", "ndjson", "parquet")
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(
    epilog="""\b
Examples:
  touchline import deals.csv --kind opportunities --map hubspot --set currency=EUR
  touchline import Opportunity.csv --kind opportunities --map salesforce
  touchline import spend.csv --kind costs --map spend.toml --decimal , --dry-run
  touchline import eurofxref-hist.csv --kind fx --map ecb
  touchline import events.ndjson --kind events --url https://collect.example.com --key web --resume
  touchline import --list-mappings
"""
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option("--kind", type=click.Choice(_KINDS), help="What its rows are.")
@click.option(
    "--map",
    "mapping",
    default="",
    metavar="NAME|FILE",
    help="Shipped mapping or a TOML file; without one the columns have our names.",
)
@click.option(
    "--set",
    "constants",
    multiple=True,
    metavar="FIELD=VALUE",
    help="What holds where the file says nothing; may be repeated.",
)
@url_option
@click.option(
    "--key", default="dev", envvar="TOUCHLINE_KEY", help="Write key of the source.  [default dev, env TOUCHLINE_KEY]"
)
@click.option("--dry-run", is_flag=True, help="Send nothing; show what the first rows become, and count.")
@click.option(
    "--resume", is_flag=True, help="Go on where an interrupted import of this file stopped; begin if none was."
)
@click.option("--bad", type=_FILE, help="File for rows that cannot be sent.  [default: FILE.bad.csv or .ndjson]")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Of the file.  [default: by its extension]")
@click.option("--encoding", default="", help="Of CSV.  [default: UTF-8, UTF-16 with a mark, else Windows-1252]")
@click.option("--delimiter", default="", help="Of CSV.  [default: the most frequent of , ; tab | in the header]")
@click.option("--decimal", type=click.Choice([".", ","]), help="Decimal sign.  [default: the mapping's, else .]")
@click.option("--date-format", "dates", multiple=True, help="Of times not in ISO 8601, e.g. %d.%m.%Y; may be repeated.")
@click.option("--timezone", default="", help="Of times without one.  [default: the mapping's, else UTC]")
@patience_option
@click.option("--json", "as_json", is_flag=True, help="Machine-readable summary.")
@click.option("--list-mappings", is_flag=True, help="Show the shipped mappings and leave.")
@settings_options("host", "http_port", "data")
def command(settings: Settings, file: Path | None, kind: str | None, list_mappings: bool, **given: Any) -> int:
    """Send the rows of FILE (CSV, NDJSON or Parquet) to the collector.

    A row that cannot be sent is kept in the --bad file with its line and the reason. Sending a file again is harmless:
    the same version of an object counts once. So --resume begins at the first row, and says so on standard error, if no
    import of FILE was interrupted: a job may always be started with it.

    Exit code 0: all rows were sent or skipped. 1: some are in the --bad file, or the collector takes nothing.
    """  # fmt: skip
    from stream.cli.importing.options import Options  # noqa: PLC0415 - the collector's adapters take a while to import

    if list_mappings:
        _list_mappings(as_json=given["as_json"])
        return 0
    if file is None or kind is None:
        raise click.UsageError("FILE and --kind are needed; see `touchline import --help`")
    return _import(settings, file, kind, Options(**given))


def _import(settings: Settings, file: Path, kind: str, options: "Options") -> int:
    from stream.cli.importing import bad_rows, bookmark, show  # noqa: PLC0415
    from stream.cli.importing.options import doubtful, lacks_currency, plan_of  # noqa: PLC0415

    plan = plan_of(file, kind, options)
    for name in doubtful(plan):
        click.echo(f"--set {name}: {kind} have no such field; it is kept under that name and changes nothing", err=True)
    if lacks_currency(plan):
        click.echo(
            f"{file} has amounts and no currency: no report in one currency has them; see --set currency=EUR", err=True
        )
    place = bookmark.place_of(plan.source.path, Path(settings.data))
    mark = bookmark.Bookmark("" if options.dry_run else plan.digest())
    earlier = None if options.dry_run or not options.resume else _interrupted(place, mark.digest)
    bad = bad_rows.BadRows(
        options.bad or bad_rows.place_of(plan.source),
        plan.source,
        append=options.resume and (options.dry_run or earlier is not None),
    )
    started = time.monotonic()
    try:
        if options.dry_run:
            summary = _rehearse(plan, bad, options)
        else:
            summary = _send(settings, plan, bad, options, place=place, mark=earlier or mark)
    finally:
        bad.close()
    summary.seconds = round(time.monotonic() - started, 2)
    if options.as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(summary)))
    else:
        show.print_summary(summary)
    return 1 if summary.bad else 0


def _interrupted(place: Path, digest: str) -> "Bookmark | None":
    """How far an interrupted import came; None, and said so, if there was none."""
    from stream.cli.importing import bookmark  # noqa: PLC0415

    found = bookmark.read_bookmark(place, digest)
    if found is None:
        click.echo(
            f"nothing to resume: there is no {place}, so no import of this file was interrupted here;"
            " beginning at its first row",
            err=True,
        )
    return found


def _rehearse(plan: "Plan", bad: "BadRows", options: "Options") -> "Summary":
    from stream.cli.importing import run, show  # noqa: PLC0415

    with show.showing(None) as shown:
        tally = run.rehearse(plan, bad, shown.progress)
    if not options.as_json:
        show.print_examples(tally)
    return show.summary_of(plan, tally, dry_run=True, bad_file=str(bad.place))


def _send(
    settings: Settings, plan: "Plan", bad: "BadRows", options: "Options", *, place: Path, mark: "Bookmark"
) -> "Summary":
    from stream.cli.importing import run, show  # noqa: PLC0415
    from stream.cli.importing.delivery import Collector  # noqa: PLC0415

    resumed_after = mark.rows if options.resume else None
    url = options.url or f"http://{settings.host}:{settings.http_port}"
    with show.showing(None) as shown:
        collector = Collector(url, options.key, patience_s=options.patience_s, waiting=shown.waiting)
        try:
            collector.check()
            tally = run.send(plan, collector, bad, place, mark=mark, progress=shown.progress)
        except KeyboardInterrupt:
            click.echo(f"interrupted; {mark.rows:,} rows are done, go on with --resume", err=True)
            raise
        except TouchlineError as error:
            if mark.rows:
                raise type(error)(f"{error}; {mark.rows:,} rows are done, go on with --resume") from None
            raise
        finally:
            collector.close()
    summary = show.summary_of(plan, tally, dry_run=False, bad_file=str(bad.place))
    summary.requests, summary.waits = collector.requests, collector.waits
    summary.resumed_after = resumed_after
    return summary


def _list_mappings(*, as_json: bool) -> None:
    from stream.cli.importing.mapping import shipped  # noqa: PLC0415

    found = shipped()
    if as_json:
        listed = {name: {"about": mapping.about, "kinds": mapping.kinds()} for name, mapping in found.items()}
        click.echo(msgspec.json.format(msgspec.json.encode(listed)))
        return
    for name, mapping in found.items():
        click.echo(f"{click.style(name, fg='cyan')}  {mapping.about}\n  --kind {', '.join(mapping.kinds())}")
