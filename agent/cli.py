"""Command ``ztagent``: enrols this host, tells the server what it sees of it, and shows what it would tell."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
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
        given = _given(list(sys.argv[1:] if argv is None else argv))
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


def _given(words: list[str]) -> SimpleNamespace:
    if words == ["run"]:
        # As services start it: what reads all other arguments would stay in memory with it.
        return SimpleNamespace(command="run", state=folders()[0])
    from agent.arguments import parser

    return parser().parse_args(words, SimpleNamespace())


def _enroll(given: SimpleNamespace, host: Host) -> int:
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


def _once(given: SimpleNamespace, host: Host) -> int:
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


def _run(given: SimpleNamespace, host: Host) -> int:
    state, settings = _opened(given)
    with only_agent(state.folder, patience=60.0):  # until a ``once`` that runs just now has ended
        cycle = _enrolled(state, settings, host)
        stop = threading.Event()
        end_on_signals(stop)
        Resident(cycle, stop).run()
    return DONE


def _status(given: SimpleNamespace, host: Host) -> int:
    if not given.state.exists():
        raise Misconfigured(f"{given.state} is not there; enrol first, or name another --state")
    state, settings = _opened(given)
    told = status(state, _cycle(state, settings, host), settings, time.time())
    text = json.dumps(told, indent=2) if given.json else "\n".join(_printable(line) for line in as_lines(told))
    sys.stdout.write(text + "\n")
    return DONE if told["heard"] else FAILED


def _show(given: SimpleNamespace, host: Host) -> int:
    settings = load(given.state, section_names())
    before, key = _before(given.state)
    sections = look(
        host, settings.switched_off, degraded=bool(before.degraded), downgraded=before.downgraded(__version__), key=key
    )
    shown = [one for one in sections if given.section is None or one.name in given.section]
    told = bearings(host, settings.switched_off, sections) if given.section is None else {}
    sys.stdout.write(as_json(shown, told) if given.json else as_text(shown, told))
    return DONE


def _verify(given: SimpleNamespace) -> int:
    before = __version__
    attempts = StateFolder(given.state).attempts() if given.state.exists() else None
    if attempts and attempts.downgraded(before):
        before = attempts.highest_version
    manifest = given.manifest or given.package.with_name(MANIFEST)
    release = verify_package(given.package, manifest, given.key, before, allow_older=given.allow_older)
    sys.stdout.write(f"ztagent {release.version}, signed by key {release.key_id}\n")
    return DONE


def _opened(given: SimpleNamespace) -> tuple[StateFolder, Settings]:
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
