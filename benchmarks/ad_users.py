"""Reads a domain of many users from a Samba domain controller beside ``ldapsearch``, the same attributes in one run.

``python -m benchmarks.ad_users [USERS]`` as root, with the packages of ``make lab-deps``; 10,000 users by default. Both
read every object with the attributes that the collector asks for, security descriptors included: once for a target that
promises who has an account and how it is used, once for everything. Filling the domain takes most of the time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from benchmarks import measured
from collectors.ad import COLLECTOR, attributes
from scanner.model import Gap, SourceIdentity, promised_facts
from tests.collectors.ad.asking import AskingAccess, ad_target
from tests.lab import samba

FEW = ("User", "Activity", "AccountExpiry", "Placement", "Device", "OperatingSystem", "Directory", "Trusts")
"""Facts of a short list of promises; they take 19 attributes."""
ACCOUNT = "svc-scan@corp.test"
DESCRIPTORS = "1.2.840.113556.1.4.801=::MAMCAQc="  # owner, group and DACL, as the collector asks


def fill(folder: Path, users: int) -> None:
    """Add users below OU=People, straight into the database."""
    path = folder / "users.ldif"
    with path.open("w", encoding="ascii") as file:
        for number in range(users):
            file.write(
                f"dn: CN=bench{number},OU=People,{samba.BASE}\nobjectClass: user\nsAMAccountName: bench{number}\n"
                f"displayName: Bench {number}\nuserPrincipalName: bench{number}@corp.test\nuserAccountControl: 514\n\n"
            )
    modules = next(Path("/usr/lib").glob("*/samba/ldb"))
    subprocess.run(
        ["ldbadd", "--nosync", "-H", str(folder / "private" / "sam.ldb"), str(path)],
        check=True,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"LDB_MODULES_PATH": str(modules)},
    )


def collect(address: str, ca_file: str, *promises: str) -> None:
    """Read what is promised with the collector, by default everything; for a process of its own."""
    target = ad_target(f"ldaps://{address}", ca_file=ca_file, server_name="dc1.corp.test")
    target = replace(target, promises=promises or None)
    access = AskingAccess(target, ACCOUNT, samba.PASSWORD)
    rows: Counter[str] = Counter()
    for record in COLLECTOR.read(access):
        if isinstance(record, SourceIdentity) and record.kind == "requests":
            print(f"  asked of {record.value}", file=sys.stderr)
        if not isinstance(record, Gap):
            rows[type(record).__name__] += 1
    print(f"  rows: {dict(rows)}", file=sys.stderr)


def main(users: int) -> None:
    """Print both costs and their ratio."""
    with tempfile.TemporaryDirectory() as place, samba.domain_controller(Path(place)) as domain:
        fill(domain.folder, users)
        secret = Path(place) / "secret"
        secret.touch(0o600)
        secret.write_text(samba.PASSWORD)
        configuration = Path(place) / "ldap.conf"
        configuration.write_text(f"TLS_CACERT {domain.ca_file}\nTLS_REQCERT allow\n")
        os.environ["LDAPCONF"] = str(configuration)  # the name in the certificate does not resolve here
        search = ["ldapsearch", "-LLL", "-x", "-H", f"ldaps://{domain.address}", "-D", ACCOUNT, "-y", str(secret)]
        search += ["-b", samba.BASE, "-E", "pr=1000/noprompt", "-E", DESCRIPTORS, "(objectClass=*)"]
        ours = [sys.executable, "-m", "benchmarks.ad_users", "--collect", domain.address, str(domain.ca_file)]
        for round_number, promises in ((1, FEW), (2, FEW), (1, ()), (2, ())):
            asked = attributes.of_objects(promises or promised_facts(COLLECTOR.promises(ad_target())))
            # What goes through a pipe of ours would cost both time and, by the fork, memory that is not theirs.
            floor = measured.run(["sh", "-c", 'exec "$@" >/dev/null', "sh", *search, *asked])
            cost = measured.run([*ours, *promises])
            print(f"round {round_number}, {users} users x {len(asked)} attributes")
            print(f"  ldapsearch  {floor}\n  collector   {cost}\n  ratio of wall {cost.wall / floor.wall:.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--collect"]:
        collect(*sys.argv[2:])
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 10_000)
