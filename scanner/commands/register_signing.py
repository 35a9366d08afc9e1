"""``ztgrade attest payload``, ``approve`` and their like: an approver signs what somebody else wrote."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from scanner.commands.register_kinds import ids_of, title_of, word_of
from scanner.commands.session import baseline_option, estate_option, moment, open_baseline, open_estate, open_registers
from scanner.errors import UnknownName, UsageError
from scanner.guideline.nouns import Baseline
from scanner.institution.estate import Estate
from scanner.institution.register_entry import EntryKind
from scanner.institution.register_judging import approval_fault
from scanner.institution.register_record import Desk
from scanner.sealed.disk import write_whole


def signing(kind: EntryKind, entry_id: str, estate: Estate, baseline: Baseline) -> str:
    """The command with which its approver goes on, by the key that stands in the estate."""
    held = {each.id: each for each in open_registers(estate, baseline).entries}
    if fault := approval_fault(held[entry_id], estate.approvers):
        return f"nobody can sign it yet: {fault}; edit it there, or add [approvers.NAME] to {estate.path.name}"
    approver = estate.approvers[held[entry_id].approver]
    if approver.ssh_key:
        return f"next, for a key of SSH: ztgrade {word_of(kind)} payload {entry_id} --output {entry_id}.json"
    return f"its approver signs it with: ztgrade {word_of(kind)} approve {entry_id} --key KEY.pem"


def approving(kind: EntryKind) -> list[click.Command]:
    """Its commands for approvers."""
    return [_payload(kind), _approve(kind)]


def _payload(kind: EntryKind) -> click.Command:
    @click.command("payload", help=f"The exact bytes that the approver of a {title_of(kind)} signs with a key of SSH.")
    @click.argument("entry_id", metavar="ID")
    @click.option("--output", type=click.Path(path_type=Path), help="File to write; stdout if not given.")
    @estate_option
    @baseline_option
    def payload(entry_id: str, output: Path | None, estate_path: Path, baseline_id: str) -> None:
        desk = _desk(kind, entry_id, estate_path, baseline_id)
        content = desk.payload(entry_id)
        if output is None:
            sys.stdout.buffer.write(content)
            return
        write_whole(output, content)
        sign = f"ssh-keygen -Y sign -n ztgrade-register -f KEY {output}"
        store = f"ztgrade {word_of(kind)} approve {entry_id} --ssh-signature {output}.sig"
        click.echo(f"wrote {output}; its approver signs it with: {sign}; and stores that with: {store}", err=True)

    return payload


def _approve(kind: EntryKind) -> click.Command:
    @click.command("approve", help=f"Sign a {title_of(kind)} as its approver, or store the signature that SSH made.")
    @click.argument("entry_id", metavar="ID")
    @click.option("--key", "key_path", type=click.Path(path_type=Path), help="Private key (PEM, 0600).")
    @click.option("--ssh-signature", "signature", type=click.Path(path_type=Path), help="What ssh-keygen -Y sign made.")
    @estate_option
    @baseline_option
    def approve(
        entry_id: str, key_path: Path | None, signature: Path | None, estate_path: Path, baseline_id: str
    ) -> None:
        if (key_path is None) == (signature is None):
            raise UsageError("give either --key or --ssh-signature")
        desk = _desk(kind, entry_id, estate_path, baseline_id)
        if key_path is not None:
            place = desk.sign(entry_id, key_path, moment(None))
        else:
            assert signature is not None
            place = desk.take_ssh(entry_id, signature, moment(None))
        click.echo(f"wrote {place}; how it counts: ztgrade {word_of(kind)} show {entry_id}", err=True)

    return approve


def _desk(kind: EntryKind, entry_id: str, estate_path: Path, baseline_id: str) -> Desk:
    """Where the entry is signed; raises UnknownName where there is none of this kind."""
    estate, baseline = open_estate(estate_path), open_baseline(baseline_id)
    held = ids_of(kind, open_registers(estate, baseline))
    if entry_id not in held:
        raise UnknownName(title_of(kind), entry_id, held)
    return Desk(estate.registers, estate.approvers, estate.institution_id, baseline.guideline)
