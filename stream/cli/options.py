"""Flags for settings, made from the fields of ``Settings``.

Usage::

    @click.command()
    @settings_options("data", "http_port")
    def command(settings: Settings) -> None: ...

gives ``--data`` and ``--http-port``; what no flag says comes from the environment, else from the defaults.
"""

import functools
import os
from collections.abc import Callable
from typing import Any

import click
import msgspec
from msgspec import Meta

from stream.settings import Settings, variable

Command = Callable[..., Any]

url_option = click.option("--url", default="", help="The collector.  [default: of --host and --http-port]")
patience_option = click.option(
    "--patience",
    "patience_s",
    default=300.0,
    show_default=True,
    metavar="S",
    help="How long to try again while the collector takes nothing.",
)

_FIELDS = {field.name: field for field in msgspec.structs.fields(Settings)}


def settings_options(*names: str) -> Callable[[Command], Command]:
    """Decorator: add a flag for each named field of Settings and pass the command ``settings: Settings``.

    Raises: ValueError for a name that is no setting, or a secret (command lines are seen by other users).
    """
    options = [_option(name) for name in names]

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def call(**given: Any) -> Any:
            flags = {name: given.pop(name) for name in names}
            return command(settings=Settings.from_env(os.environ, **flags), **given)

        flagged: Command = call
        for option in reversed(options):
            flagged = option(flagged)
        return flagged

    return decorate


def flag(name: str) -> str:
    """``http_port`` -> ``--http-port``."""
    return "--" + name.replace("_", "-")


def _option(name: str) -> Callable[[Command], Command]:
    if name not in _FIELDS:
        raise ValueError(f"{name} is not a setting")
    field = _FIELDS[name]
    meta: Meta = field.type.__metadata__[0]
    extra = meta.extra or {}
    if extra["secret"]:
        raise ValueError(f"{name} is a secret: it comes from {variable(name)}")
    kind = field.type.__origin__
    default = f"default {field.default}, " if field.default not in ("", False) else ""
    text = f"{(meta.description or '').capitalize()}  [{default}env {variable(name)}]"
    if kind is bool:
        return click.option(f"{flag(name)}/--no-{flag(name)[2:]}", name, default=None, help=text)
    return click.option(flag(name), name, type=kind, default=None, metavar=_metavar(extra["unit"], kind), help=text)


def _metavar(unit: str, kind: type) -> str:
    return unit.upper().replace(",...", "") if unit.isalpha() else {int: "N", float: "X"}.get(kind, "TEXT")
