"""The lab bank among real servers: one domain in Samba, two cloud accounts in moto, everything else as captures.

``python -m tests.lab.bank_lab FOLDER`` starts it and waits; Ctrl-C ends it. Only the loopback interface is used. What
moto lacks of an account's root user is put into its answers by ``tests.collectors.aws.moto_of_today``.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3

from scanner.demo.account_capture import AFTER_SECOND_FACTOR, EVERYTHING, administrators, root_cells, trust_policies
from scanner.demo.bank import write_form
from scanner.demo.description import Description, read_description
from scanner.demo.directory import Domain, filetime
from scanner.demo.directory_capture import domain_keys
from scanner.demo.expansion import Lines, expand
from scanner.demo.form import Form, domains, own_form, raw_form, raw_names
from tests.collectors.aws.lab import moto_server
from tests.lab import samba
from tests.lab.root_users import ROOT_USERS
from tests.lab.samba import DomainController

DIRECTORY = "ad-corp"
ACCOUNTS = ("aws-prod", "aws-dev")
READER = "svc-scan"
SEED = Path(__file__).with_name("seed_bank.py")
REGION = "us-east-1"
ROLE = "arn:aws:iam::{account}:role/ztgrade"
"""Moto lets anybody take on any role, and answers for the account in its name."""
MARK = ".ztgrade-lab"


@dataclass(frozen=True)
class BankLab:
    """The lab while it runs."""

    estate: Path
    names: Mapping[str, str]
    """Keys of assets as the servers' own names for them make them up, by the key in the description."""
    addresses: Mapping[str, str]


@contextmanager
def bank_lab(folder: Path) -> Iterator[BankLab]:
    """Start both servers, fill them from the description, and write the estate that reads them; its moment is now."""
    description = read_description(datetime.now(UTC))
    lines = expand(description)
    domain = domains(description, lines)[DIRECTORY]
    password = f"L4b-{secrets.token_urlsafe(18)}"
    with ExitStack() as stack, ThreadPoolExecutor(1) as beside:
        filled: Future[str] = beside.submit(lambda: stack.enter_context(_clouds(lines)))
        controller = stack.enter_context(_domain(folder, domain, password))
        address = filled.result()
        told = json.loads((controller.folder / "sids.json").read_text())
        names = raw_names(description, lines) | domain_keys(domain, told["domain"], told["accounts"])
        form = _form(description, lines, names, controller, address)
        estate = write_form(folder / "bank", description, form)
        _secret(folder / "bank" / "secrets" / "directory", password)
        _secret(folder / "bank" / "secrets" / "cloud", "moto-asks-for-none")
        addresses = {DIRECTORY: f"ldaps://{controller.address}", **dict.fromkeys(ACCOUNTS, address)}
        yield BankLab(estate, names, addresses)


def _form(
    description: Description, lines: Mapping[str, Lines], names: Mapping[str, str], domain: DomainController, cloud: str
) -> Form:
    form = own_form(description, lines, names)
    live: dict[str, dict[str, Any]] = {
        DIRECTORY: {
            "address": f"ldaps://{domain.address}",
            "credential": "directory",
            "options": {"ca_file": str(domain.ca_file), "server_name": domain.server_name},
        }
    }
    for target in ACCOUNTS:
        role = ROLE.format(account=_row(lines[target], "Account")[0].split(":", 2)[2])
        live[target] = {"address": cloud, "credential": "cloud", "options": {"assume_role": role}}
    targets = dict(form.targets)
    for name, changes in live.items():
        kept = {key: value for key, value in targets[name].items() if key != "captures"}
        options = {key: value for key, value in kept["options"].items() if key != "captured_at"}
        targets[name] = {**kept, **changes, "options": {**options, **changes["options"]}}
    captures = {name: files for name, files in raw_form(description).captures.items() if name not in live}
    credentials = {
        "directory": {"user": f"{READER}@{domain.server_name.partition('.')[2]}", "secret": "file:secrets/directory"},
        "cloud": {"user": "AKIALABBANKREADER000", "secret": "file:secrets/cloud"},
    }
    return replace(form, targets=targets, captures=captures, credentials=credentials)


def _secret(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


@contextmanager
def _domain(folder: Path, domain: Domain, password: str) -> Iterator[DomainController]:
    given = folder / "domain.json"
    given.write_text(json.dumps(_described(domain)))
    with samba.running(folder, domain.dns.upper(), (str(SEED), str(given)), password) as controller:
        yield controller


def _described(domain: Domain) -> dict[str, Any]:
    assert not any(account.hidden for account in domain.accounts), "what is hidden is not set up in the live domain"
    return {
        "reader": READER,
        "units": domain.units,
        "groups": domain.groups,
        "accounts": [
            {
                "dn": account.dn,
                "name": account.name,
                "display_name": account.display_name,
                "control": "512" if account.enabled else "514",
                "expires": "0" if account.expires_at is None else str(filetime(account.expires_at)),
                "last_logon": "0" if account.last_sign_in is None else str(filetime(account.last_sign_in)),
                "groups": account.groups,
                "marked": account.marked,
            }
            for account in domain.accounts
        ],
        "trusts": [
            {"partner": trust.partner, "direction": trust.direction, "flags": trust.flags} for trust in domain.trusts
        ],
    }


@contextmanager
def _clouds(lines: Mapping[str, Lines]) -> Iterator[str]:
    roots = {}
    for target in ACCOUNTS:
        key, root = _row(lines[target], "RootUser")
        roots[key.split(":", 2)[2]] = {
            "cells": root_cells(root),
            "mfa": root["mfa"],
            "access_keys": root["access_keys"],
        }
    os.environ[ROOT_USERS] = json.dumps(roots)
    try:
        with moto_server() as address:
            for target in ACCOUNTS:
                _account(address, lines[target])
            yield address
    finally:
        del os.environ[ROOT_USERS]


def _account(address: str, lines: Lines) -> None:
    """What the description says of an account, by calls that an administrator of it would make."""
    key, account = _row(lines, "Account")
    number = key.split(":", 2)[2]
    door = boto3.session.Session(aws_access_key_id="seed", aws_secret_access_key="seed", region_name=REGION)
    role = door.client("sts", endpoint_url=address).assume_role(
        RoleArn=ROLE.format(account=number), RoleSessionName="seed"
    )
    given = role["Credentials"]
    inside = boto3.session.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        region_name=REGION,
    )
    iam = inside.client("iam", endpoint_url=address)
    iam.create_account_alias(AccountAlias=account["name"])
    for name, guarded in administrators(_row(lines, "AccountAdministration")[1]):
        iam.create_user(UserName=name)
        policy = {"Version": "2012-10-17", "Statement": [AFTER_SECOND_FACTOR if guarded else EVERYTHING]}
        iam.put_user_policy(UserName=name, PolicyName="administration", PolicyDocument=json.dumps(policy))
    trusts = lines.rows.get(("RoleTrusts", key), {}).get("trusts", [])
    for name, (policy, seconds) in trust_policies(number, trusts).items():
        document = json.dumps(policy)
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, MaxSessionDuration=seconds)


def _row(lines: Lines, fact: str) -> tuple[str, Mapping[str, Any]]:
    ((key, row),) = [(asset, row) for (name, asset), row in lines.rows.items() if name == fact]
    return key, row


def say(line: str) -> None:
    """One line to whoever started the lab."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Start the lab, say where it is, and wait for Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where servers and estate keep their files; made anew")
    folder: Path = parser.parse_args().folder.absolute()
    reason = samba.missing()
    if reason is not None:
        sys.exit(f"lab: {reason}")
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).is_file():
        sys.exit(f"lab: {folder} is not a folder that the lab made; name another")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    (folder / MARK).write_text("made by make lab, which makes it anew at each start\n")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with bank_lab(folder) as lab:
            for target, address in lab.addresses.items():
                say(f"{target}: {address}")
            say(f"estate: {lab.estate}")
            say(f"read and grade it: ztgrade scan --estate {lab.estate}")
            signal.pause()
    except KeyboardInterrupt:
        say("lab: stopped")


if __name__ == "__main__":
    main()
