"""What is done with an entry once it is written, the same for every kind: seen, signed, taken back."""

from __future__ import annotations

import click

from scanner.commands.register_kinds import title_of
from scanner.commands.register_papers import paper
from scanner.commands.register_revoking import taking_back
from scanner.commands.register_signing import approving
from scanner.commands.register_telling import telling
from scanner.institution.register_entry import EntryKind


def keeping(kind: EntryKind) -> list[click.Command]:
    """The commands that every kind of entry has, beside adding one."""
    return [*telling(kind), *approving(kind), taking_back(kind), paper(kind, title_of(kind))]
