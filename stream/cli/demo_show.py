"""The demo's tables on a terminal."""

import os
import shutil
import sys
from typing import Final

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from schemas.rules import MODELS
from stream.cli.demo_live import Rang
from stream.cli.demo_results import Channel, Moment, Proof, Results
from stream.settings import Settings

_TITLES: Final = {
    "first": "first", "last": "last", "last_non_direct": "non-direct", "linear": "linear", "time_decay": "decay",
    "u_shaped": "u-shaped",
}  # fmt: skip
_SAME: Final = 0.005
"""EUR: sums of floats for display differ by less."""


def show(console: Console, found: Results) -> None:
    """Print all tables."""
    console.print()
    console.print(_attribution(found.attribution))
    console.print(_stages(found))
    console.print(_hottest(found))
    console.print(_journey(found))
    console.print(_alerts(found))
    console.print(_proof(found))


def show_live(console: Console, rang: Rang | None) -> None:
    """Print the alert that came just now."""
    if rang is None:
        console.print("\n[yellow]No alert now:[/] this account's alert of today was sent before.")
        return
    alert = rang.alert
    touches = ", ".join(f"{t.type} {t.points:+.0f}" for t in alert.evidence.touches)
    text = Text.from_markup(
        f"[bold]{alert.account_id}[/] reached {alert.score:.1f} of {alert.threshold:.0f} points: {touches}"
        f" (before today: {alert.evidence.score_before:.1f})\n"
        f"on the [cyan]alerts[/] topic [bold green]{rang.after_ms:.0f} ms[/] after the browser sent the request"
        f" (acknowledged after {rang.acknowledged_ms:.0f} ms)"
    )
    console.print()
    console.print(
        Panel(
            text, title="Now: somebody reads the prices and asks for a demo", title_align="left", border_style="green"
        )
    )


def show_addresses(console: Console, settings: Settings, url: str) -> None:
    """Print where everything is, and what to ask."""
    options = f" --sql-port {settings.sql_port}" if settings.sql_port != Settings().sql_port else ""
    lines = (
        "SELECT channel, sum(amount) FROM v_attribution WHERE model = 'linear' AND stage = 'won' GROUP BY 1",
        "SELECT account_id, stage, engagement FROM v_accounts ORDER BY engagement DESC LIMIT 10",
        "SELECT reason, sum(amount) FROM v_ledger WHERE model = 'linear' GROUP BY reason",
    )
    console.print(
        f"\n[bold]Look at it[/]  SQL [cyan]{settings.clickhouse_url}[/]   events [cyan]{url}[/]   "
        f"Kafka [cyan]{settings.bootstrap}[/]"
    )
    for line in lines:
        console.print(f'  {_program()} sql{options} "{line}"', highlight=False, soft_wrap=True)


def _program() -> str:
    """How this command is called from here: by name where the shell finds it, else by its path."""
    return "touchline" if shutil.which("touchline") else os.path.relpath(sys.argv[0])


def _grid(title: str, *columns: str, left: int = 1) -> Table:
    table = Table(
        title=title,
        title_style="bold",
        title_justify="left",
        box=None,
        header_style="dim",
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number < left else "right", no_wrap=True)
    return table


def _attribution(channels: list[Channel]) -> Group:
    table = _grid("Revenue won by channel and model, EUR", "channel", *(_TITLES[m] for m in MODELS), "ad cost")
    for one in channels:
        table.add_row(one.channel, *(_money(one.won[model]) for model in MODELS), f"[dim]{_money(one.cost)}[/]")
    sums = [sum(one.won[model] for one in channels) for model in MODELS]
    cost = _money(sum(c.cost for c in channels))
    table.add_row("[bold]sum[/]", *(f"[bold]{_money(amount)}[/]" for amount in sums), f"[dim]{cost}[/]")
    agree = max(sums, default=0.0) - min(sums, default=0.0) < _SAME
    total = f"{sums[0]:,.2f}" if sums else "0"
    note = f"[green]Every model adds up to {total}, to the cent.[/]" if agree else "[red]The models do not add up.[/]"
    return Group(table, Text.from_markup(note), "")


def _stages(found: Results) -> Group:
    table = _grid("Stages reached", "stage", "conversions", "accounts", "amount, EUR")
    for one in found.stages:
        table.add_row(one.stage, f"{one.conversions:,}", f"{one.accounts:,}", _money(one.amount))
    mail = _grid("Email", "event", "people", "machines")
    for kind in found.email:
        mail.add_row(kind.event, f"{kind.people:,}", f"[dim]{kind.machines:,}[/]" if kind.machines else "")
    both = Table.grid(padding=(0, 8, 0, 0))
    both.add_row(table, mail)
    return Group(both, "")


def _hottest(found: Results) -> Group:
    names = ("account", "name", "stage", "last touch", "people", "touches", "score", "intent", "")
    accounts = _grid("Hottest accounts", *names, left=4)
    most = max((one.score for one in found.hottest), default=0.0)
    for one in found.hottest:
        bar = "█" * max(1, round(10 * one.score / most)) if most > 0 else ""
        accounts.add_row(
            one.account_id, one.name, one.stage, one.last_touch, str(one.people), str(one.touches), f"{one.score:.1f}",
            f"{one.intent:.0f}", f"[red]{bar:<10}[/]",
        )  # fmt: skip
    people = _grid(
        f"Who is behind {found.hottest[0].account_id}" if found.hottest else "", "person", "touches", "score"
    )
    for person in found.people:
        people.add_row(person.person_id, str(person.touches), f"{person.score:.1f}")
    return Group(accounts, "", people, "")


def _journey(found: Results) -> Group:
    title = f"How {found.journey_of} was won: every touch and the revenue credited to it, EUR"
    table = _grid(title, "when (UTC)", "what", "who", "channel", "campaign", "linear", "u-shaped", left=5)
    for moment in found.journey:
        table.add_row(*_moment(moment))
    return Group(table, "")


def _moment(one: Moment) -> tuple[str, ...]:
    when = one.at[:16]
    if one.what.startswith("=>"):
        amount = f"{one.amount:,.2f} EUR" if one.amount else ""
        return (when, f"[bold green]{one.what}[/]", f"[bold]{amount}[/]", "", "", "", "")
    credit = (f"{amount:,.2f}" if amount else "" for amount in (one.linear, one.u_shaped))
    return (when, one.what, one.person_id.partition("@")[0], one.channel, one.campaign, *credit)


def _alerts(found: Results) -> Group:
    table = _grid(
        f"Alerts: {found.figures['alerts']:,} days on which an account got hot; the latest",
        "day",
        "account",
        "rule",
        left=3,
    )
    for one in found.alerts:
        table.add_row(one.day, one.account_id, f"{one.rule}: {one.threshold:.0f} points")
    return Group(table, "")


def _proof(found: Results) -> Group:
    proof, figures = found.proof, found.figures
    sent = f"{proof.sent:,} events sent"
    kept = (
        f"{sent}: {proof.repeated:,} sent twice, {proof.refused} refused, {proof.kept:,} kept once each"
        if proof.alone
        else f"{sent}, {proof.repeated:,} of them twice; this installation now keeps {proof.kept:,}, each once"
    )
    lines = (
        (not proof.alone or proof.kept == proof.expected, kept),
        (_agrees(proof), f"{proof.won_by_crm:,.2f} EUR won says the CRM, and so does every model"),
        (not proof.unbalanced, f"ledger check: {proof.unbalanced} conversions whose credit does not add up"),
        (not proof.twice, f"duplicate check: {proof.twice} rows that are there twice"),
        (
            found.corrected_touches > 0,
            f"an adviser's {found.corrected_touches} touches moved to her client's account when the CRM said so",
        ),
    )
    text = [Text.from_markup(f"{'[green]✓[/]' if holds else '[red]✗[/]'} {line}") for holds, line in lines]
    counts = (
        f"{figures['accounts']:,} accounts, {figures['people']:,} people, {figures['sessions']:,} sessions, "
        f"{figures['touches']:,} touches on accounts, {figures['robots']:,} events of robots set apart"
    )
    return Group(Text("What must hold", style="bold"), *text, Text(counts, style="dim"))


def holds(proof: Proof) -> bool:
    """Whether everything that must hold does."""
    alone = proof.kept == proof.expected and _agrees(proof)
    return (alone or not proof.alone) and not proof.unbalanced and not proof.twice


def _agrees(proof: Proof) -> bool:
    return all(abs(amount - proof.won_by_crm) < _SAME for amount in proof.won_by_model.values())


def _money(amount: float) -> str:
    """Whole euros; the cents are in the database."""
    return f"{amount:,.0f}" if amount else ""
