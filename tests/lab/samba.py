"""A Samba domain controller on a loopback address of its own: provisioned, filled, started, and stopped by its pid."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

REALM = "CORP.TEST"
BASE = "DC=corp,DC=test"
ADMINISTRATOR = "Administrator@corp.test"
PASSWORD = "L4b-Passw0rd-of-tests"
SEED = Path(__file__).with_name("seed_domain.py")
NO_DOMAIN = "no Samba domain controller: make lab-deps installs it, as root"
START_SECONDS = 60.0
NOWHERE = "127.0.0.9"
"""Address of a domain that is copied, not started; no other domain has it."""


@dataclass(frozen=True)
class DomainController:
    """One that runs: where, the CA that signed its certificate, and the name that the certificate bears."""

    address: str
    ca_file: Path
    folder: Path
    server_name: str = "dc1.corp.test"


def missing() -> str | None:
    """Why no domain controller can be started here; None where one can."""
    if os.geteuid() != 0:
        return f"{NO_DOMAIN}; provisioning needs root"
    absent = [name for name in ("samba", "samba-tool", "ldbmodify") if shutil.which(name) is None]
    return f"{NO_DOMAIN}; missing: {', '.join(absent)}" if absent else None


@contextmanager
def domain_controller(folder: Path) -> Iterator[DomainController]:
    """One domain for the time of the block; skips the test where there can be none, and fails it in CI as root."""
    demand()
    with running(folder, template=_shared(folder) / "domain-template") as controller:
        yield controller


def _shared(folder: Path) -> Path:
    """The folder that all processes of one run of the tests share, from one that pytest gave to a fixture."""
    return folder.parent.parent if "PYTEST_XDIST_WORKER" in os.environ else folder.parent


def demand() -> None:
    """Skip the test where there can be no domain controller; fail it in CI as root."""
    reason = missing()
    if reason is not None:
        if os.environ.get("CI") and os.geteuid() == 0:
            pytest.fail(reason)
        pytest.skip(NO_DOMAIN)


@contextmanager
def running(
    folder: Path,
    realm: str = REALM,
    seed: Sequence[str] = (str(SEED),),
    password: str = PASSWORD,
    template: Path | None = None,
) -> Iterator[DomainController]:
    """One domain for the time of the block; a copy of the one in ``template``, which is made where it is not there yet.

    ``seed`` is a script for the system's Python and what it is given after the folder and the password.
    """
    domain = folder / "domain"
    if template is None:
        address = free_address()
        _fill(domain, address, realm, seed, password)
    else:
        with template.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not template.exists():
                making = template.with_suffix(".making")
                _fill(making, NOWHERE, realm, seed, password)
                making.rename(template)
        address = free_address()
        _copy(template, domain, address)
    with (folder / "samba.log").open("wb") as log:
        process = subprocess.Popen(_command(domain), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        _wait(process, address, folder / "samba.log")
        ca_file = domain / "private" / "tls" / "ca.pem"
        yield DomainController(address, ca_file, domain, f"dc1.{realm.lower()}")
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def _fill(domain: Path, address: str, realm: str, seed: Sequence[str], password: str) -> None:
    _provision(domain, address, realm, password)
    script, *given = seed
    _run(["/usr/bin/python3", "-I", script, str(domain), password, *given])


def _copy(template: Path, domain: Path, address: str) -> None:
    """A domain of its own, many times faster than provisioning one; only its settings name its place and address."""
    shutil.copytree(template, domain)
    for name in ("etc/smb.conf", "private/krb5.conf"):
        place = domain / name
        text = place.read_text("utf-8").replace(str(template.with_suffix(".making")), str(domain))
        place.write_text(text.replace(NOWHERE, address), "utf-8")


def free_address() -> str:
    """A loopback address on which nobody listens for LDAP."""
    for turn in range(240):
        # It listens only when it is filled: until then the number of our process keeps others off the same address.
        address = f"127.0.0.{10 + (os.getpid() + turn) % 240}"
        try:
            for port in (88, 389, 636):
                with socket.socket() as tried:
                    tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    tried.bind((address, port))
        except OSError:
            continue
        return address
    raise AssertionError("no loopback address is free")


def _provision(domain: Path, address: str, realm: str, password: str) -> None:
    options = {
        "ad dc functional level": "2016",
        "interfaces": f"{address}/8",
        "bind interfaces only": "yes",
        "vfs objects": "dfs_samba4 xattr_tdb",
        "xattr_tdb:file": str(domain / "xattr.tdb"),
        "log file": str(domain / "log"),
    }
    _run(
        [
            "samba-tool",
            "domain",
            "provision",
            f"--realm={realm}",
            "--domain=CORP",
            f"--adminpass={password}",  # of a domain that lives as long as the lab
            "--server-role=dc",
            "--dns-backend=SAMBA_INTERNAL",
            "--host-name=dc1",
            f"--host-ip={address}",
            f"--targetdir={domain}",
            "--function-level=2016",
            "--base-schema=2019",
            *(f"--option={name}={value}" for name, value in options.items()),
        ]
    )


def _command(domain: Path) -> list[str]:
    run = domain / "run"
    run.mkdir()
    options = {
        "server services": "ldap,cldap,kdc,rpc",
        "pid directory": run,
        "ncalrpc dir": run / "ncalrpc",
    }
    given = [f"--option={name}={value}" for name, value in options.items()]
    return ["samba", "-F", "-M", "single", "-s", str(domain / "etc" / "smb.conf"), "--debug-stdout", *given]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{command[:3]} ended with {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            socket.create_connection((address, 636), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    process.kill()
    process.wait(20)
    raise AssertionError(f"samba did not answer on {address}:636: {log.read_text(errors='replace')[-2000:]}")
