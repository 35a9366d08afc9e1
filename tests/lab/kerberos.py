"""Tickets from the lab's KDC, and readings in a process that has Debian's GSSAPI for Python beside our packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from collectors.ad import COLLECTOR
from scanner.model import Capture, Record, SourceIdentity
from tests.collectors.ad.asking import AskingAccess, ad_target
from tests.lab import samba
from tests.lab.samba import DomainController

NO_GSSAPI = "no GSSAPI for this Python: make lab-deps installs it, for Debian's own"
ACCOUNT = "svc-scan"
ROOT = Path(__file__).parents[2]
PACKAGES = Path("/usr/lib/python3/dist-packages")
_CONF = """[libdefaults]
default_realm = {realm}
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
kdc_timesync = 0
udp_preference_limit = 1
[realms]
{realm} = {{
  kdc = {kdc}
}}
"""


@dataclass(frozen=True)
class Realm:
    """The realm of one domain controller, with folders of its own for configuration and tickets."""

    domain: DomainController
    folder: Path

    def environment(self, cache: str, kdc: str = "") -> dict[str, str]:
        """Variables under which Kerberos finds this KDC and a ticket cache by name."""
        configuration = self.folder / f"krb5-{kdc or 'own'}.conf"
        configuration.write_text(_CONF.format(realm=samba.REALM, kdc=kdc or self.domain.address))
        return os.environ | {
            "KRB5_CONFIG": str(configuration),
            "KRB5CCNAME": f"FILE:{self.folder / cache}",
            "KRB5_KTNAME": str(self.folder / "none.keytab"),
            "PYTHONPATH": str(self.folder / "packages"),
            "PYTHONWARNINGS": "ignore",  # on the serial number that Samba gives its certificate
        }

    def ticket(self, cache: str, *given: str, password: str | None = samba.PASSWORD) -> None:
        """Get a ticket into a cache, with the password on standard input."""
        self._run(cache, "kinit", *given, f"{ACCOUNT}@{samba.REALM}", said="" if password is None else password + "\n")

    def service_ticket(self, cache: str) -> None:
        """Get a ticket for the directory itself into a cache that holds one for the KDC."""
        self._run(cache, "kvno", f"ldap/{self.domain.server_name}")

    def _run(self, cache: str, *command: str, said: str = "") -> None:
        done = subprocess.run(
            command,
            input=said,
            env=self.environment(cache),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def keytab(self) -> Path:
        """The keys of the scan account, as a service would hold them."""
        path = self.folder / "scan.keytab"
        principal, configuration = f"--principal={ACCOUNT}@{samba.REALM}", self.domain.folder / "etc" / "smb.conf"
        self._run("none", "samba-tool", "domain", "exportkeytab", str(path), principal, "-s", str(configuration))
        return path

    def read(self, cache: str, *given: str, clock: str = "", kdc: str = "", scheme: str = "ldaps") -> list[Any]:
        """What the collector yields in a process of its own; ``clock`` shifts the time of that process."""
        environment = self.environment(cache, kdc)
        if clock:
            environment |= {"LD_PRELOAD": str(_shifter()), "FAKETIME": clock}
        command = [sys.executable, "-m", "tests.lab.kerberos", f"{scheme}://{self.domain.address}"]
        done = subprocess.run(
            [*command, str(self.domain.ca_file), *given],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


def fits() -> bool:
    """Whether Debian's GSSAPI was built for this Python."""
    version = f"{sys.version_info.major}{sys.version_info.minor}"
    return any((PACKAGES / "gssapi").glob(f"raw/creds.cpython-{version}-*.so"))


def realm(domain: DomainController, folder: Path) -> Realm:
    """The realm of a domain controller; its readings need that Debian's GSSAPI ``fits``."""
    links = folder / "packages"
    links.mkdir()
    for name in ("gssapi", "decorator.py"):
        (links / name).symlink_to(PACKAGES / name)
    return Realm(domain, folder)


def plain(records: Iterable[Record]) -> Iterator[Any]:
    """Records without the moment and without what was kept, so that two readings can be compared."""
    for record in records:
        if isinstance(record, (Capture, SourceIdentity)):
            continue
        fields = msgspec.to_builtins(record)
        yield [type(record).__name__, {name: fields[name] for name in sorted(fields) if name not in _MOMENTS}]


_MOMENTS = {"observed_at", "as_of"}


def _shifter() -> Path:
    return next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


def _main(address: str, ca_file: str, *given: str) -> None:
    if "--unbound" in given:
        from ldap3.protocol.sasl import kerberos  # type: ignore[import-untyped]

        kerberos.get_channel_bindings = lambda socket: None
    target = ad_target(address, ca_file=ca_file, server_name="dc1.corp.test", bind="kerberos")
    for row in plain(COLLECTOR.read(AskingAccess(target, None))):
        sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    _main(*sys.argv[1:])
