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
        _add_more(branch, step["more_lost"])
    for rule in found["protections"]:
        name = rule["rule"].replace("_", " ")
        tree.add(f"{escape(rule['node'])}: [yellow]{escape(name)}[/]: {escape(rule['why'])}", highlight=False)
    if "made_of" in found:
        _add_made_of(tree, found)
    if found["taken_back"]:
        gone = tree.add("[dim]no longer counts[/]")
        for claim in found["taken_back"]:
            parent = escape(claim["belongs_to"]) or "?"
            gone.add(f"[dim]{escape(claim['node'])} → {parent}  {_reason(claim)}[/]")
        _add_more(gone, found["more_taken_back"])
    for warning in found["warnings"]:
        tree.add(f"[yellow]{escape(warning)}[/]", highlight=False)
    if not tree.children:
        tree.add("[dim]nobody has said anything about it[/]")
    return tree


def _add_made_of(tree: Tree, found: dict[str, Any]) -> None:
    """What an account is made of: domains, parent, children, merges."""
    made_of = found["made_of"]
    if made_of["name"]:
        tree.add(f"“{escape(made_of['name'])}”  people: {made_of['people']:,}, touches: {made_of['touches']:,}")
    if made_of["domains"]:
        branch = tree.add("domains")
        for domain in made_of["domains"]:
            _add_domain(branch, domain, found["node"])
        _add_more(branch, made_of["more_domains"])
    if made_of["direct"]:
        branch = tree.add("named for it directly")
        for direct in made_of["direct"]:
            branch.add(f"{direct['kind']}: {direct['identifiers']:,}  {_WORDS.get(direct['source'], direct['source'])}")
    _add_family(tree, made_of)
    merges = [merge for merge in made_of["merges"] if not _is_step(merge, found)]
    if merges:
        branch = tree.add("merges")
        for merge in merges:
            _add_merge(branch, merge)
        _add_more(branch, made_of["more_merges"])


def _add_family(tree: Tree, made_of: dict[str, Any]) -> None:
    if made_of["parent"]:
        tree.add(_parent(made_of["parent"]), highlight=False)
    if made_of["children"]:
        branch = tree.add("below it in the CRM")
        for child in made_of["children"]:
            branch.add(f"{escape(child['account'])}  {escape(child['name'])}", highlight=False)
        _add_more(branch, made_of["more_children"])


def _is_step(merge: dict[str, Any], found: dict[str, Any]) -> bool:
    """Whether it is shown already, as the way up."""
    return bool(merge["counts"]) and any(step["node"] == merge["loser"] for step in found["steps"])


def _add_domain(branch: Tree, domain: dict[str, Any], account: str) -> None:
    name = escape(domain["domain"])
    owner = escape(domain["belongs_to"]) or "nobody"
    if domain["counts"]:
        own = branch.add(f"[bold]{name}[/]", highlight=False)
    else:
        because = f"  {_reason(domain['instead'])}" if domain["instead"] else ""
        own = branch.add(f"[dim]not {name}: it belongs to {owner}{because}[/]", highlight=False)
    for claim in domain["claims"]:
        why = claim.get("why", "")
        brought = "" if claim["belongs_to"] == account else f"for {escape(claim['belongs_to'])}: "
        text = f"{brought}{_reason(claim)}"
        own.add(f"[dim]{text}; {escape(why)}[/]" if why else text, highlight=False)
    _add_more(own, domain["more_claims"])
    for rule in domain["protections"]:
        own.add(f"[yellow]{escape(rule['rule'].replace('_', ' '))}[/]: {escape(rule['why'])}", highlight=False)


def _parent(parent: dict[str, Any]) -> str:
    named = escape(parent["named"])
    if parent["problem"]:
        text = f"below {named}, says the CRM, but it stands alone: [yellow]{escape(parent['problem'])}[/]"
    elif not parent["account"]:
        text = f"the CRM puts it below itself ({named})"
    elif parent["account"] != parent["named"]:
        text = f"below [bold]{escape(parent['account'])}[/], which {named} was merged into"
    else:
        text = f"below [bold]{named}[/]"
    return text + (f"  CRM account; by {escape(parent['said_by'])}, {parent['said_at']}" if parent["said_by"] else "")


def _add_merge(branch: Tree, merge: dict[str, Any]) -> None:
    because = merge["because"]
    way = f"{escape(merge['loser'])} → {escape(merge['winner'])}"
    if merge["counts"]:
        branch.add(f"[bold]{way}[/]  {_reason(because)}", highlight=False)
    else:
        branch.add(f"[dim]not {way}  {_reason(because)}; {escape(because.get('why', ''))}[/]", highlight=False)


def _add_more(branch: Tree, more: int) -> None:
    if more:
        branch.add(f"[dim]and {more:,} more[/]")


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
