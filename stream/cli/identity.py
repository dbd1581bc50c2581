"""``touchline identity``: ask whose something is and why; say what belongs to what, and take it back."""

import json
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from stream.cli.identity_client import IdentityClient, quoted
from stream.cli.options import settings_options
from stream.settings import Settings


@click.group(
    epilog="""\b
Identifiers are written visitor:ID, user:ID, email:ADDRESS, domain:NAME, account:ID.

\b
Examples:
  touchline identity explain user:7
  touchline identity explain account:acme
  touchline identity link user:7 account:acme --reason "told on the phone"
  touchline identity link email:ann@acme.com account:beta --from 2026-06-01   changed employer
  touchline identity preview merge account:acme-old account:acme
  touchline identity merge account:acme-old account:acme
  touchline identity unmerge op-1f0c22a94be3
"""
)
def command() -> None:
    """Whose is it, why, and how to put it right.

    Needs the key of an operator: [[operators]] in touchline.toml. See docs/identity.md#operators.
    """


def _asks(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every command has, and pass ``client``."""

    @click.option("--operator", "name", default="", metavar="NAME", help="Whose key to use; default: the first one.")
    @click.option("--url", default="", metavar="URL", help="The collector, if it is elsewhere: https://host.")
    @settings_options("config", "host", "http_port")
    @wraps(function)
    def call(settings: Settings, name: str, url: str, **given: Any) -> Any:
        return function(IdentityClient(settings, name, url), **given)

    return call


_reason = click.option("--reason", default="", metavar="TEXT", help="Why; stands in the audit.")
_since = click.option("--from", "since", default="", metavar="TIME", help="From when on (ISO 8601); default: always.")
_until = click.option("--to", "until", default="", metavar="TIME", help="Until when, not included; default: for good.")
_as_json = click.option("--json", "as_json", is_flag=True, help="JSON, as it always is if not for a terminal.")


@command.command()
@click.argument("child")
@click.argument("parent")
@_since
@_until
@_reason
@_asks
def link(client: IdentityClient, *, child: str, parent: str, since: str, until: str, reason: str) -> None:
    """Say that CHILD belongs to PARENT.

    It beats everything that events and the CRM say, for the time that it holds; what was before --from stays.
    """
    _told(client.post("links", {"child": child, "parent": parent, "from": since, "to": until, "reason": reason}), child)


@command.command()
@click.argument("claim")
@click.argument("parent", required=False, default="")
@click.option("--child", default="", metavar="CHILD", help="Where several identifiers have a claim of that id.")
@_reason
@_asks
def unlink(client: IdentityClient, claim: str, parent: str, child: str, reason: str) -> None:
    """Take a claim back: by its id, or `unlink CHILD PARENT` all from one to the other, whoever made them.

    What the CRM says is taken back for all versions of its object, those still to come as well, until you link the two
    yourself. Ids are in `touchline identity explain` and in v_identity_claims.
    """
    if parent:
        _told(client.delete("links", child=claim, parent=parent, reason=reason), claim)
    else:
        _told(client.delete(f"links/{quoted(claim)}", child=child, reason=reason), child)


@command.command()
@click.argument("loser")
@click.argument("winner")
@_reason
@_asks
def merge(client: IdentityClient, loser: str, winner: str, reason: str) -> None:
    """Say that account LOSER is account WINNER: everything of the one moves to the other."""
    _told(client.post("merges", {"loser": loser, "winner": winner, "reason": reason}), loser)


@command.command()
@click.argument("merged")
@click.argument("winner", required=False, default="")
@_reason
@_asks
def unmerge(client: IdentityClient, merged: str, winner: str, reason: str) -> None:
    """Take a merge back: by its id, or `unmerge LOSER WINNER`. Everything returns to where it was."""
    if winner:
        _told(client.delete("merges", loser=merged, winner=winner, reason=reason), merged)
    else:
        _told(client.delete(f"merges/{quoted(merged)}", reason=reason), "")


@command.command()
@click.argument("node")
@click.option("--at", default="", metavar="TIME", help="At that time (ISO 8601); default: now.")
@_as_json
@_asks
def explain(client: IdentityClient, node: str, at: str, as_json: bool) -> None:
    """Whose NODE is, and why: each step, the claim that decided it, and what lost against it.

    NODE may also be touch:ID, with an id of v_touches: why is this touch on this account? Of an account it lists what
    it is made of: domains, parent, children and merges.
    """
    if not node.strip():
        raise click.UsageError("NODE is empty; an identifier is written visitor:ID, user:ID, email:ADDRESS, ...")
    found = client.get(quoted(node), at=at)
    if _plain(found, as_json):
        return
    from stream.cli.identity_shown import explanation_tree, show  # noqa: PLC0415 - rich

    show(explanation_tree(found))


@command.group()
def preview() -> None:
    """What would move, from which account to which, with the credit that is booked on it. Nothing is changed."""


@preview.command("link")
@click.argument("child")
@click.argument("parent")
@_since
@_until
@_as_json
@_asks
def preview_link(client: IdentityClient, *, child: str, parent: str, since: str, until: str, as_json: bool) -> None:
    """If CHILD belonged to PARENT."""
    _predicted(client, as_json, link={"child": child, "parent": parent, "from": since, "to": until})


@preview.command("unlink")
@click.argument("claim")
@click.argument("parent", required=False, default="")
@click.option("--child", default="", metavar="CHILD", help="Where several identifiers have a claim of that id.")
@_as_json
@_asks
def preview_unlink(client: IdentityClient, claim: str, parent: str, child: str, as_json: bool) -> None:
    """If a claim (its id, or CHILD PARENT) no longer counted."""
    _predicted(client, as_json, unlink={"child": claim, "parent": parent} if parent else {"id": claim, "child": child})


@preview.command("merge")
@click.argument("loser")
@click.argument("winner")
@_as_json
@_asks
def preview_merge(client: IdentityClient, loser: str, winner: str, as_json: bool) -> None:
    """If account LOSER were account WINNER."""
    _predicted(client, as_json, merge={"loser": loser, "winner": winner})


@preview.command("unmerge")
@click.argument("merged")
@click.argument("winner", required=False, default="")
@_as_json
@_asks
def preview_unmerge(client: IdentityClient, merged: str, winner: str, as_json: bool) -> None:
    """If a merge (its id, or LOSER WINNER) no longer counted."""
    _predicted(client, as_json, unmerge={"loser": merged, "winner": winner} if winner else {"id": merged})


def _predicted(client: IdentityClient, as_json: bool, **wanted: dict[str, str]) -> None:
    found = client.post("preview", wanted)
    if _plain(found, as_json):
        return
    from stream.cli.identity_shown import moves_table, show  # noqa: PLC0415 - rich

    show(moves_table(found))


def _plain(found: dict[str, Any], as_json: bool) -> bool:
    """Print JSON, if that is wanted or no person reads; whether it was."""
    wanted = as_json or not sys.stdout.isatty()
    if wanted:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    return wanted


def _told(answer: dict[str, Any], node: str) -> None:
    for said in answer["said"]:
        click.echo(f"{said['type']} {click.style(said['claim'], bold=True)}")
    for warning in answer.get("warnings", []):
        click.echo(f"warning: {warning}", err=True)
    if node and sys.stdout.isatty():
        click.echo(f"on the log; seconds later: touchline identity explain {node}")
