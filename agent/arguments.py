"""The commands of ``ztagent`` and what each of them takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.posture import section_names
from agent.settings import folders
from agent.verifying import MANIFEST


def parser() -> argparse.ArgumentParser:
    """The parser, whose result has ``command``, ``state`` and the options of that command."""
    whole = argparse.ArgumentParser(
        prog="ztagent",
        description="Looks at this host and tells its posture to a ztgrade fleet server; changes nothing.",
    )
    commands = whole.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="look at this host once and print what would be sent; sends nothing")
    show.add_argument("--json", action="store_true", help="print JSON, which the collector 'local' can read")
    names = sorted(section_names())
    show.add_argument("--section", action="append", choices=names, metavar="NAME", help=f"only: {', '.join(names)}")
    enroll = commands.add_parser("enroll", help="get an identity for this host with a token")
    enroll.add_argument("--token-file", required=True, metavar="FILE", help="file with the token, or - to read it here")
    enroll.add_argument("--proxy", default="", metavar="URL", help="http://NAME:PORT; with a password: in agent.toml")
    enroll.add_argument(
        "--ca-file", default="", metavar="PEM", help="further authorities that may vouch for the server"
    )
    enroll.add_argument("--again", action="store_true", help="give up the identity that this host has")
    once = commands.add_parser("once", help="look and tell once, for timers")
    once.add_argument("--now", action="store_true", help="do not wait as long as the server or a failure asked for")
    commands.add_parser("run", help="stay and tell in each interval")
    told = commands.add_parser("status", help="say whether the server hears this agent")
    told.add_argument("--json", action="store_true", help="print JSON")
    verify = commands.add_parser("verify-package", help="say whether a package of the agent may be installed here")
    verify.add_argument("package", type=Path, metavar="FILE")
    verify.add_argument("--key", type=Path, required=True, metavar="PEM", help="public key of those who release it")
    verify.add_argument("--manifest", type=Path, metavar="FILE", help=f"default: {MANIFEST} beside the package")
    verify.add_argument("--allow-older", action="store_true", help="take one that is older than what ran here")
    for command in (show, enroll, once, commands.choices["run"], told, verify):
        command.add_argument("--state", type=Path, default=folders()[0], metavar="DIR", help="default: %(default)s")
    return whole
