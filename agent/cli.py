"""Command ``ztagent``: enrols this host, tells the server what it sees of it, and shows what it would tell."""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent import __version__
from agent.connection import Connection
from agent.cycle import Cycle, Outside
from agent.disk import only_agent
from agent.enrolment import Enroller, read_token
from agent.errors import AgentError, Misconfigured
from agent.host import Host, ThisHost
from agent.posture import OFF, bearings, look, purposes, section_names
from agent.resident import Resident, end_on_signals
from agent.section import SEEN, Section
from agent.settings import Settings, folders, load, proxy_url
from agent.signing import KeyProcess
from agent.state import Attempts, StateFolder
from agent.status import as_lines, key_line, status
from agent.verifying import MANIFEST, verify_package

DONE, FAILED, MISUSED, WAITING = 0, 1, 2, 3


def main(argv: Sequence[str] | None = None, host: Host | None = None) -> int:
    """Run the command; gives its exit code: 0, 1 where the server was not told, 2 for a wrong use or configuration,
    3 where the enrolment waits for a person."""
    try:
        given = _parser().parse_args(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else MISUSED
    here = host or ThisHost()
    try:
        match given.command:
            case "show":
                return _show(given, here)
            case "enroll":
                return _enroll(given, here)
            case "status":
                return _status(given, here)
            case "once":
                return _once(given, here)
            case "verify-package":
                return _verify(given)
            case _:
                return _run(given, here)
    except AgentError as error:
        return _wrong(error, MISUSED)
    except (OSError, ValueError) as error:
        return _wrong(error, FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ztagent",
        description="Looks at this host and tells its posture to a ztgrade fleet server; changes nothing.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
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
    return parser


def _enroll(given: argparse.Namespace, host: Host) -> int:
    if given.proxy:
        proxy_url(given.proxy, "--proxy")
        if "@" in urlsplit(given.proxy).netloc:
            raise Misconfigured("--proxy may hold no password, since every user sees arguments; put it into agent.toml")
    state, settings = _opened(given)
    token = read_token(given.token_file, sys.stdin.read)
    ca_file = str(Path(given.ca_file).absolute()) if given.ca_file else ""
    with only_agent(state.folder):
        identity, note = state.identity(), state.note("enrolment")
        if identity is not None and note is None and not given.again:
            raise Misconfigured(f"this host is enrolled as {identity.agent}; --again gives that identity up")
        keys = KeyProcess(settings.tcti)
        Enroller(state, keys, Connection).prepare(token, settings, proxy=given.proxy, ca_file=ca_file)
        cycle = _cycle(state, settings, host)
        if cycle.tell() or not state.note("enrolment"):
            identity = cycle.identity()
            line = _printable(key_line(*state.key_told()))
            sys.stdout.write(f"enrolled as {identity.agent if identity else None}\n{line}\n")
            return DONE
    waiting = "a person has to approve" in cycle.attempts.last_error
    sys.stderr.write(f"ztagent: not enrolled yet: {_printable(cycle.attempts.last_error)}; ztagent run asks again\n")
    return WAITING if waiting else FAILED


def _once(given: argparse.Namespace, host: Host) -> int:
    state, settings = _opened(given)
    with only_agent(state.folder):
        cycle = _enrolled(state, settings, host)
        cycle.collect()
        wait = cycle.wait()
        if wait and not given.now:
            sys.stderr.write(f"ztagent: looked, but does not speak for {int(wait) + 1} s; see ztagent status\n")
            return FAILED
        if cycle.tell():
            return DONE
    sys.stderr.write(f"ztagent: {_printable(cycle.attempts.last_error)}\n")
    return FAILED


def _run(given: argparse.Namespace, host: Host) -> int:
    state, settings = _opened(given)
    with only_agent(state.folder, patience=60.0):  # until a ``once`` that runs just now has ended
        cycle = _enrolled(state, settings, host)
        stop = threading.Event()
        end_on_signals(stop)
        Resident(cycle, stop).run()
    return DONE


def _status(given: argparse.Namespace, host: Host) -> int:
    if not given.state.exists():
        raise Misconfigured(f"{given.state} is not there; enrol first, or name another --state")
    state, settings = _opened(given)
    told = status(state, _cycle(state, settings, host), settings, time.time())
    text = json.dumps(told, indent=2) if given.json else "\n".join(_printable(line) for line in as_lines(told))
    sys.stdout.write(text + "\n")
    return DONE if told["heard"] else FAILED


def _show(given: argparse.Namespace, host: Host) -> int:
    settings = load(given.state, section_names())
    before, key = _before(given.state)
    sections = look(
        host, settings.switched_off, degraded=bool(before.degraded), downgraded=before.downgraded(__version__), key=key
    )
    shown = [one for one in sections if given.section is None or one.name in given.section]
    told = bearings(host, settings.switched_off, sections) if given.section is None else {}
    sys.stdout.write(as_json(shown, told) if given.json else as_text(shown, told))
    return DONE


def _verify(given: argparse.Namespace) -> int:
    before = __version__
    attempts = StateFolder(given.state).attempts() if given.state.exists() else None
    if attempts and attempts.downgraded(before):
        before = attempts.highest_version
    manifest = given.manifest or given.package.with_name(MANIFEST)
    release = verify_package(given.package, manifest, given.key, before, allow_older=given.allow_older)
    sys.stdout.write(f"ztagent {release.version}, signed by key {release.key_id}\n")
    return DONE


def _opened(given: argparse.Namespace) -> tuple[StateFolder, Settings]:
    state = StateFolder(given.state)
    return state, load(given.state, section_names())


def _cycle(state: StateFolder, settings: Settings, host: Host) -> Cycle:
    return Cycle(state, settings, Outside(host, KeyProcess(settings.tcti)))


def _enrolled(state: StateFolder, settings: Settings, host: Host) -> Cycle:
    if state.identity() is None and state.note("enrolment") is None:
        raise Misconfigured("this host is not enrolled; run ztagent enroll --token-file FILE")
    return _cycle(state, settings, host)


def _before(folder: Path) -> tuple[Attempts, tuple[str, str]]:
    """How the last attempts went and where the key lies, as far as that may be read."""
    attempts, key = None, ("none", "")
    try:
        if folder.exists():
            state = StateFolder(folder)
            attempts = state.attempts()
            key = state.key_told()
    except (AgentError, OSError, ValueError):
        attempts = None
    return attempts or Attempts(), key


def as_json(sections: Sequence[Section], host: dict[str, str] | None = None) -> str:
    """The sections as one JSON document, the form of ``sections.json``, with what each is for."""
    told = purposes()
    whole: dict[str, Any] = {"schema_version": 1, "sections": [section.to_dict() for section in sections]}
    whole["purposes"] = {section.name: told.get(section.name, "") for section in sections}
    if host:
        whole["told_at_enrolment"] = host
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def as_text(sections: Sequence[Section], host: dict[str, str] | None = None) -> str:
    """The same as lines for people."""
    lines, told = [], purposes()
    for section in sections:
        off = section.detail == OFF
        state = section.status if section.status == SEEN else OFF if off else f"{section.status}: {section.detail}"
        lines.append(f"{section.name}: {state}")
        if section.name in told:
            lines.append(f"  # {told[section.name]}")
        for name, value in section.values.items():
            why = section.missing.get(name)
            unseen = f"  [{why.status}: {why.detail}]" if why else ""
            lines.append(f"  {name} = {_shown(value)}{unseen}")
    if host:
        lines += ["told once, at enrolment:", *(f"  {name} = {value}" for name, value in host.items())]
    return "\n".join(_printable(line) for line in lines) + "\n"


def _wrong(error: Exception, code: int) -> int:
    sys.stderr.write(f"ztagent: {_printable(str(error))}\n")
    return code


def _shown(value: Any) -> str:
    if value is None:
        return "(not seen)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _printable(line: str) -> str:
    return "".join(character if character.isprintable() else "\\x%02x" % ord(character) for character in line)  # noqa: UP031


if __name__ == "__main__":
    sys.exit(main())
