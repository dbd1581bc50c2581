"""Explanations and predictions for people: the way up as a tree, moves as a table."""

from decimal import Decimal
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

_WORDS: Final = {
    "session": "signed in there",
    "identify": "the only user of this visitor",
    "trait": "its user gave this address",
    "alias": "alias call",
    "group": "group call",
    "domain": "work address",
    "merge": "merged",
    "operator": "an operator said so",
    "crm.contact": "CRM contact",
    "crm.account": "domains of the CRM account",
    "crm.merge": "merged in the CRM",
    "crm.opportunity": "CRM opportunity",
    "form": "company of a form",
    "ip": "company of the network",
}


def explanation_tree(found: dict[str, Any]) -> Tree:
    """One line a step; below it what lost, dimmed."""
    account = found["account"] or "no account"
    person = f", person [cyan]{escape(found['person'])}[/]" if found["person"] else ""
    session = f" (session of {escape(found['session_user'])})" if found["session_user"] else ""
    tree = Tree(f"[bold]{escape(found['node'])}[/]{session} → [bold green]{escape(account)}[/]{person}")
    for step in found["steps"]:
        because = step["because"]
        branch = tree.add(
            f"{escape(step['node'])} → [bold]{escape(step['belongs_to'])}[/]  {_reason(because)}", highlight=False
        )
        for lost in step["lost"]:
            branch.add(f"[dim]not {escape(lost['belongs_to'])}: {_reason(lost)}; {escape(lost.get('why', ''))}[/]")
    for rule in found["protections"]:
        name = rule["rule"].replace("_", " ")
        tree.add(f"{escape(rule['node'])}: [yellow]{escape(name)}[/]: {escape(rule['why'])}", highlight=False)
    if found["taken_back"]:
        gone = tree.add("[dim]no longer counts[/]")
        for claim in found["taken_back"]:
            parent = escape(claim["belongs_to"]) or "?"
            gone.add(f"[dim]{escape(claim['node'])} → {parent}  {_reason(claim)}[/]")
    if not found["steps"] and not found["protections"]:
        tree.add("[dim]nobody has said anything about it[/]")
    return tree


def _reason(reason: dict[str, Any]) -> str:
    parts = [f"{_WORDS.get(reason['source'], reason['source'])}, rank {reason['rank']}"]
    if reason.get("said_by"):
        parts.append(f"by {reason['said_by']}")
    parts += [f"{word} {reason[word]}" for word in ("from", "to") if reason.get(word)]
    if reason.get("known_since"):
        parts.append(f"known since {reason['known_since']}")
    if reason.get("claim"):
        parts.append(f"claim {reason['claim']}")
    if reason.get("reason"):
        parts.append(f"“{reason['reason']}”")
    return escape("; ".join(parts))


def moves_table(found: dict[str, Any]) -> Table:
    """From which account to which how much would move."""
    table = Table(
        title=f"{found['node']}: {found['identifiers']} identifiers, {found['records']} touches and conversions"
    )
    for name in ("from", "to"):
        table.add_column(name)
    for name in ("touches", "conversions", "other person", "credit on them"):
        table.add_column(name, justify="right")
    for move in found["moves"]:
        credit = "\n".join(map(_credit, move["credit"]))
        counts = (str(move[name]) for name in ("touches", "conversions", "other_person"))
        table.add_row(escape(move["from"] or "nobody"), escape(move["to"] or "nobody"), *counts, credit)
    if not found["moves"]:
        table.add_row("nothing would move", *[""] * 5)
    return table


def _credit(found: dict[str, str]) -> str:
    amount = Decimal(found["amount"])
    money = f", {amount:,.2f} {found['currency']}".rstrip() if amount else ""
    return f"{found['model']}: {float(found['credit']):g}{money}"


def show(shown: Tree | Table) -> None:
    """Print on standard output."""
    Console().print(shown)
