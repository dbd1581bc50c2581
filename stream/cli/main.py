"""The ``touchline`` command. Subcommands are modules of this package, imported when they are called.

A module ``stream/cli/<name>.py`` exposes a click command named ``command``. Exit codes: 0 all right, 1 a problem was
found or something is not reachable, 2 wrong usage or configuration.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Final

import click

from schemas.errors import ConfigError, TouchlineError

COMMANDS: Final = {
    "up": "Run everything on this machine.",
    "demo": "Play a believable B2B story and show its numbers.",
    "collect": "Take events over HTTP.",
    "worker": "Run the stitch and account stages.",
    "sink": "Write facts to ClickHouse, exactly once.",
    "setup": "Create topics and tables.",
    "doctor": "Check this installation and say what to do.",
    "verify": "Recompute everything from the log and compare.",
    "import": "Import files of CRM objects, costs, rates and events.",
    "dead-letters": "Look at what was refused, and send it again.",
    "identity": "Whose is it, why, and how to put it right.",
    "sql": "Ask ClickHouse.",
    "settings": "Show every setting.",
    "topology": "Show topics, stages and tables.",
}
"""Name -> what it does, for help without importing any of them."""

_MODULES: Final = {"import": "import_file", "dead-letters": "dead_letters"}
"""Where the module cannot have the command's name: a keyword cannot be imported, nor a name with a hyphen."""
PROBLEM: Final = 1
USAGE: Final = 2

_EXAMPLES: Final = """\b
Examples:
  touchline up                              everything on this machine
  touchline demo                            see it work in under a minute
  touchline import deals.csv --kind opportunities --map hubspot
  touchline sql "SELECT * FROM v_accounts"  ask for numbers
  touchline settings                        what can be set, and how
"""


class LazyGroup(click.Group):
    """Imports a subcommand when it is called, so that ``--help`` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """In the order of COMMANDS; those that this installation has."""
        return [name for name in COMMANDS if find_spec(_module(name))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(_module(cmd_name)).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Names and what they do, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(click.style(name, fg="cyan"), COMMANDS[name]) for name in self.list_commands(ctx)])


def _module(name: str) -> str:
    return f"stream.cli.{_MODULES.get(name, name)}"


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib import metadata  # noqa: PLC0415  # two thirds of the start-up time

        click.echo(f"touchline {metadata.version('touchline')}")
        ctx.exit()


@click.group(
    cls=LazyGroup, epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
def cli() -> None:
    """Live account timelines, attribution and intent alerts from your events.

    Every setting has an environment variable TOUCHLINE_*; flags beat it. See `touchline settings`.
    """


def main() -> None:
    """Entry point of the ``touchline`` script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code. Expected errors become one line, never a traceback."""
    try:
        code = cli.main(args=arguments, prog_name="touchline", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        return 130
    except ConfigError as error:
        return _say(str(error), USAGE)
    except TouchlineError as error:
        return _say(str(error), PROBLEM)
    except BrokenPipeError:
        # `touchline ... | head`: who reads has seen enough. Python would complain once more at exit.
        sys.stderr.close()
        return 0
    return code if isinstance(code, int) else 0


def _say(text: str, code: int) -> int:
    click.echo(f"{click.style('touchline:', fg='red', bold=True)} {' '.join(text.split())}", err=True)
    return code


if __name__ == "__main__":
    main()
