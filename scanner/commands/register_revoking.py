"""``ztgrade attest revoke`` and its like: an entry is taken back by another, which is signed like any."""

from __future__ import annotations

from pathlib import Path

import click

from scanner.commands.register_entering import enter
from scanner.commands.register_kinds import title_of
from scanner.commands.register_signing import signing
from scanner.commands.session import baseline_option, estate_option, open_baseline, open_estate, open_registers
from scanner.errors import UnknownName
from scanner.institution.register_entry import EntryKind


def taking_back(kind: EntryKind) -> click.Command:
    """The command that takes one entry back."""

    @click.command("revoke", help=f"Take a {title_of(kind)} back; a signed no falls only when that is signed too.")
    @click.argument("entry_id", metavar="ID")
    @click.option("--reason", required=True, help="In 30 characters at least.")
    @click.option("--owner", required=True, help="Who says so.")
    @click.option("--approver", required=True, help="Approver of the estate who is to sign; not the owner.")
    @click.option("--id", "own_id", metavar="ID", help="Id of the revocation; RE- and that of the entry if not given.")
    @estate_option
    @baseline_option
    def revoke(
        entry_id: str,
        reason: str,
        owner: str,
        approver: str,
        own_id: str | None,
        estate_path: Path,
        baseline_id: str,
    ) -> None:
        estate, baseline = open_estate(estate_path), open_baseline(baseline_id)
        held = {each.id for each in open_registers(estate, baseline).entries if each.kind is kind}
        if entry_id not in held:
            raise UnknownName(title_of(kind), entry_id, held)
        name = own_id or f"RE-{entry_id}"
        fields = {"id": name, "revokes": entry_id, "reason": reason, "owner": owner, "approver": approver}
        (path,) = enter([(EntryKind.REVOCATION, {**fields, "made_at": None})], estate, baseline)
        click.echo(f"wrote {name} to {path}; {signing(kind, name, estate, baseline)}", err=True)

    return revoke
