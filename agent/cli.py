"""Command ``ztagent``: shows what the agent sees of this host."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from agent.host import Host, ThisHost
from agent.probes import PROBES, observe
from agent.section import SEEN, Section


def main(argv: Sequence[str] | None = None, host: Host | None = None) -> int:
    """Run the command; gives its exit code: 0, or 2 for a wrong use of the command."""
    parser = argparse.ArgumentParser(
        prog="ztagent", description="Shows what the agent sees of this host; sends nothing."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="look at this host once and print it")
    show.add_argument("--json", action="store_true", help="print JSON, which the collector 'local' can read")
    names = [probe.name for probe in PROBES]
    show.add_argument("--section", action="append", choices=names, metavar="NAME", help=f"only: {', '.join(names)}")
    try:
        given = parser.parse_args(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 2
    wanted = [probe for probe in PROBES if given.section is None or probe.name in given.section]
    sections = [observe(probe, host or ThisHost()) for probe in wanted]
    sys.stdout.write(as_json(sections) if given.json else as_text(sections))
    return 0


def as_json(sections: Sequence[Section]) -> str:
    """The sections as one JSON document, the form of ``sections.json``."""
    whole = {"schema_version": 1, "sections": [section.to_dict() for section in sections]}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def as_text(sections: Sequence[Section]) -> str:
    """The sections as lines for people."""
    lines = []
    for section in sections:
        state = section.status if section.status == SEEN else f"{section.status}: {section.detail}"
        lines.append(f"{section.name}: {state}")
        for name, value in section.values.items():
            why = section.missing.get(name)
            unseen = f"  [{why.status}: {why.detail}]" if why else ""
            lines.append(f"  {name} = {_shown(value)}{unseen}")
    return "\n".join(_printable(line) for line in lines) + "\n"


def _shown(value: Any) -> str:
    if value is None:
        return "(not seen)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _printable(line: str) -> str:
    return "".join(character if character.isprintable() else "\\x%02x" % ord(character) for character in line)  # noqa: UP031


if __name__ == "__main__":
    sys.exit(main())
