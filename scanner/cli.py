"""The command line: composition root; commands are loaded when they are called, so that starting costs little."""

from __future__ import annotations

import faulthandler
import importlib
import os
import sys
from io import TextIOWrapper

import click

import scanner

COMMANDS = {
    "init": "starting:init",
    "demo": "starting:demo",
    "plan": "collecting:plan",
    "collect": "collecting:collect",
    "assess": "assessing:assess",
    "scan": "assessing:scan",
    "regrade": "assessing:regrade",
    "report": "explaining:report",
    "why": "explaining:why",
    "lift": "lifting:lift",
    "findings": "explaining:findings",
    "sql": "explaining:sql",
    "scope": "scoping:scope",
    "select": "selecting:select_",
    "verify": "sealing:verify",
    "key": "sealing:key",
    "sign": "sealing:sign",
    "attest": "registering:attest",
    "drill": "registering:drill",
    "review": "registering:review",
    "exception": "registering:exception",
    "scope-statement": "registering:scope_statement",
    "plan-register": "registering:plan_register",
    "registers": "registering:registers",
    "sample": "sampling:sample",
    "list": "listing:list_",
    "permissions": "permitting:permissions",
    "schedule": "scheduling:schedule",
    "fleet": "fleet:fleet",
}
"""Command to ``module:attribute`` below ``scanner.commands``."""


class Lazy(click.Group):
    """Imports a command only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, or None."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(f"scanner.commands.{module}"), attribute)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; errors say why and what to do, exit codes are those of ``scanner.errors``."""
        from scanner.errors import ZtgradeError  # here, where a command needs it anyway: help and version do not

        try:
            return super().invoke(ctx)
        except ZtgradeError as error:
            from scanner.collecting.redaction import printable

            for line in str(error).splitlines() or [type(error).__name__]:
                click.echo(f"ztgrade: {printable(line)}", err=True)
            ctx.exit(error.exit_code)
        except BrokenPipeError:  # nobody reads on; what was asked for has not been said, so it is no success
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)
        except OSError as error:
            from scanner.collecting.redaction import printable

            place = f"{error.filename}: " if error.filename else ""
            click.echo(printable(f"ztgrade: {place}{error.strerror or error}; check the path and its rights"), err=True)
            ctx.exit(2)


@click.group(cls=Lazy, context_settings={"auto_envvar_prefix": "ZTGRADE", "help_option_names": ["-h", "--help"]})
@click.version_option(scanner.__version__, prog_name="ztgrade")
def cli() -> None:
    """Grade zero-trust maturity from evidence: which level has been reached, what blocks the next, how do we know."""


def main() -> None:
    """Entry point."""
    if sys.__stderr__ is not None:
        faulthandler.enable(sys.__stderr__)  # where a library's own code fails, at least say at which line it did
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no Chinese is no reason to fail
    cli()


if __name__ == "__main__":
    main()
