"""``ztgrade verify``, ``key`` and ``sign``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from scanner.commands.printing import json_option, say, say_json
from scanner.commands.session import (
    baseline_option,
    estate_option,
    moment,
    open_baseline,
    open_estate,
    open_store,
    store_option,
)
from scanner.errors import UsageError
from scanner.institution.register_record import Desk
from scanner.sealed.seal import verify as check_seal
from scanner.sealed.signature import FileSigner


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--trust", type=click.Path(path_type=Path), help="Public key (PEM) that must have signed.")
@click.option("--anchor", metavar="ROOT", help="Root or seal noted off this machine; it must be found here.")
@json_option
def verify(path: Path, trust: Path | None, anchor: str | None, as_json: bool) -> None:
    """Say whether a sealed folder or a whole store is whole and authentic, or what is wrong.

    Exit 0 only if it is whole and signed by the trusted key; without --trust the signer is unknown and the exit is 3.
    """
    try:
        pem = trust.read_bytes() if trust is not None else None
    except OSError as error:
        raise UsageError(f"{trust}: {error.strerror}; give the public key that ztgrade key export printed") from error
    found = check_seal(path, trust=pem, anchor=anchor)
    if as_json:
        row = {
            "schema_version": 1,
            "whole": found.ok,
            "signer_known": found.signer_known,
            "root": found.root,
            "seal": found.seal,
            "key": found.key_id,
            "folders": found.folders,
            "problems": list(found.problems),
        }
        say_json(row)
    else:
        say(found.verdict)
        for problem in found.problems:
            say(f"  {problem}")
        say(f"root {found.root}")
        say(f"seal {found.seal}")
        say(f"key  {found.key_id}")
    sys.exit(found.exit_code)


@click.group()
def key() -> None:
    """The key that a store signs with."""


@key.command()
@store_option
def export(store_path: Path) -> None:
    """Print the public key (PEM), for ``verify --trust``."""
    open_store(store_path).close()
    click.echo(FileSigner.at(store_path / "keys").public_pem.decode().rstrip())


@click.command()
@click.argument("entry")
@click.option("--key", "key_path", type=click.Path(path_type=Path), required=True, help="The approver's private key.")
@estate_option
@baseline_option
def sign(entry: str, key_path: Path, estate_path: Path, baseline_id: str) -> None:
    """Sign a register entry as its approver: ENTRY is its id, or FILE.toml#ID."""
    estate = open_estate(estate_path)
    baseline = open_baseline(baseline_id)
    desk = Desk(estate.registers, estate.approvers, estate.institution_id, baseline.guideline)
    place = desk.sign(entry, key_path, moment(None))
    click.echo(f"wrote {place}", err=True)
