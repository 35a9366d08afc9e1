"""``ztgrade attest document`` and its like: the paper that an entry rests on, as it was when the entry was written."""

from __future__ import annotations

from pathlib import Path

import click

from scanner.commands.session import baseline_option, estate_option, open_baseline, open_estate, open_registers
from scanner.errors import UnknownName, UsageError
from scanner.institution.register_documents import kept_document
from scanner.institution.register_nouns import EntryKind
from scanner.sealed.disk import write_whole


def paper(kind: EntryKind, title: str) -> click.Command:
    """The command that writes out the document of one entry."""

    @click.command("document", help=f"Write out the document that a {title} rests on, once its SHA-256 is right.")
    @click.argument("entry_id", metavar="ID")
    @click.option("--output", required=True, type=click.Path(path_type=Path), help="File to write.")
    @estate_option
    @baseline_option
    def document(entry_id: str, output: Path, estate_path: Path, baseline_id: str) -> None:
        estate = open_estate(estate_path)
        held = {each.id: each for each in open_registers(estate, open_baseline(baseline_id)).entries}
        named = {id_: entry for id_, entry in held.items() if entry.kind is kind}
        if entry_id not in named:
            raise UnknownName(title, entry_id, named)
        stated = named[entry_id].document
        if stated is None:
            raise UsageError(f"{entry_id} rests on no document")
        write_whole(output, kept_document(stated, estate.registers))
        click.echo(f"wrote {output}; open it with care: ztgrade never did", err=True)

    return document
