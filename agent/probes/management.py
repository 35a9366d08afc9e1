"""Which directory this host has joined and which system manages it, as the host itself has it.

The Windows and macOS branches were never run on Windows or macOS; they follow the documents that the tests name.
"""

from __future__ import annotations

import re
from typing import Any

from agent import keyfile
from agent.confinement import refuse_foreign_namespaces
from agent.host import Host
from agent.products import known_products, running, running_names
from agent.section import DENIED, ERROR, UNSUPPORTED, Missing, NotSupported, Probe, Seen, by_system

_SSSD, _SSSD_MORE = "/etc/sssd/sssd.conf", "/etc/sssd/conf.d"
_SMB = "/etc/samba/smb.conf"
_KEYTAB = "/etc/krb5.keytab"
_ENTRA = ("/etc/himmelblau/himmelblau.conf", "/etc/aad.conf")
_BY_PROVIDER = {"ad": "active_directory", "ipa": "ipa", "ldap": "ldap"}
_DSREGCMD = (r"C:\Windows\System32\dsregcmd.exe", "/status")
_ENROLMENTS = r"SOFTWARE\Microsoft\Enrollments"
_ENROLLED = 1
"""EnrollmentState of an enrolment in force."""
_DEVICE_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MDM = "MS DM Server"
"""ProviderID that a server of device management has there; enrolments of other kinds have other names."""
_BINDING = ("/usr/sbin/dsconfigad", "-show")
_PROFILES = ("/usr/bin/profiles", "status", "-type", "enrollment")
_NO_KEYS: dict[str, Any] = {"machine_account": None, "entra_device": None}
_ONLY_WINDOWS = dict.fromkeys(_NO_KEYS, Missing(UNSUPPORTED, "only Windows keeps the key that its directory gave it"))


def look(host: Host) -> Seen:
    """``directory``, ``domain``, the keys that the directory gave the host (``machine_account``, ``entra_device``),
    ``enrolled``, ``server``, ``managers`` (product, running) and ``known_list``.

    ``directory`` is none, active_directory, entra, hybrid, ipa or ldap. ``machine_account`` is the SID of the host's
    account in Active Directory, ``entra_device`` its device id in Entra ID. ``enrolled``: the system's own management
    protocol has a server, which Linux does not have. An empty ``managers`` means none of the known list.
    """
    return by_system(host, "management is not looked at on", linux=_linux, windows=_windows, macos=_macos)(host)


def _managers(host: Host, missing: dict[str, Missing]) -> dict[str, Any]:
    known = known_products(host.system)
    values: dict[str, Any] = {"managers": None, "known_list": known.version}
    if not host.privileged():
        missing["managers"] = Missing(DENIED, "only root or an administrator sees every product")
        return values
    names = running_names(host, known)
    installed = set(host.services()) if host.system == "windows" else set()
    found = []
    for product in known.management:
        runs = running(host, product, names)
        if runs is None:
            detail = f"a process bears the name of {product.name}, whose files are not here"
            missing["managers"] = Missing(UNSUPPORTED, detail)
        if runs is not False or product.running_as & installed or any(host.exists(path) for path in product.paths):
            found.append({"product": product.name, "running": runs})
    values["managers"] = found
    return values


def _linux(host: Host) -> Seen:
    refuse_foreign_namespaces(host, "management", ("pid",))
    missing: dict[str, Missing] = {}
    directory: str | None
    try:
        directory, domain = _joined(host)
    except PermissionError as error:
        directory, domain = None, None
        missing["directory"] = missing["domain"] = Missing(DENIED, f"only root may read {error.filename}")
    if directory == "none":
        missing["domain"] = Missing(UNSUPPORTED, "the host has joined no directory")
    elif domain is None and directory:
        missing["domain"] = Missing(UNSUPPORTED, "the settings do not name the domain")
    why = Missing(UNSUPPORTED, "Linux has no protocol of its own for device management; see managers")
    missing["enrolled"] = missing["server"] = why
    values = {"directory": directory, "domain": domain, "enrolled": None, "server": None}
    return Seen(values | _NO_KEYS | _managers(host, missing), missing | _ONLY_WINDOWS)


def _joined(host: Host) -> tuple[str, str | None]:
    """By sssd, winbind or a client of Entra ID, from the files that ``realm join`` and the others write.

    Not by ``realm list``, which would start a service to answer.
    """
    settings = keyfile.read(host, _SSSD) if host.exists(_SSSD) else {}
    for section, keys in keyfile.read_all(host, _SSSD_MORE, ".conf").items():
        settings.setdefault(section, {}).update(keys)
    named = [name.strip() for name in settings.get("sssd", {}).get("domains", "").split(",") if name.strip()]
    found = []
    for section, keys in settings.items():
        match = re.fullmatch(r"domain/(.+)", section)
        if match and (match[1] in named or (not named and keys.get("enabled", "").lower() == "true")):
            kind = _BY_PROVIDER.get(keys.get("id_provider", ""))
            domain = keys.get("ad_domain") or keys.get("ipa_domain") or match[1]
            # Without the machine's own key, Active Directory and IPA are configured but not joined.
            if kind and (kind == "ldap" or host.exists(_KEYTAB)):
                found.append((kind, domain))
    if host.exists(_SMB):
        keys = {key.lower(): value for key, value in keyfile.read(host, _SMB).get("global", {}).items()}
        if keys.get("security", "").lower() == "ads" and host.exists("/var/lib/samba/private/secrets.tdb"):
            found.append(("active_directory", keys.get("realm")))
    for path in _ENTRA:
        if host.exists(path):
            keys = {key: value for part in keyfile.read(host, path).values() for key, value in part.items()}
            found.append(("entra", keys.get("domain") or keys.get("domains")))
    found.sort(key=lambda one: ("active_directory", "entra", "ipa", "ldap").index(one[0]))
    kind, domain = found[0] if found else ("none", None)
    if {one for one, _ in found} >= {"active_directory", "entra"}:
        kind = "hybrid"
    return kind, domain.lower() if domain else None


def _windows(host: Host) -> Seen:
    ran = host.run(_DSREGCMD)
    stated = dict(re.findall(r"^\s*(\w+) : (.+?)\s*$", ran.output, re.MULTILINE))
    if stated.get("AzureAdJoined") not in {"YES", "NO"} or stated.get("DomainJoined") not in {"YES", "NO"}:
        raise NotSupported("dsregcmd did not state AzureAdJoined and DomainJoined")
    entra, domain = stated["AzureAdJoined"] == "YES", stated["DomainJoined"] == "YES"
    missing: dict[str, Missing] = {}
    servers = _enrolments(host)
    device = stated.get("DeviceId", "").lower() if entra else ""
    values: dict[str, Any] = {
        "machine_account": _account(host, missing) if domain else None,
        "entra_device": device if _DEVICE_ID.fullmatch(device) else None,
        "directory": "hybrid" if entra and domain else "entra" if entra else "active_directory" if domain else "none",
        "domain": (stated.get("DomainName") or stated.get("TenantName") or "").lower() or None,
        "enrolled": bool(servers),
        "server": next((server for server in servers if server), None),
    }
    if values["domain"] is None:
        missing["domain"] = Missing(UNSUPPORTED, "dsregcmd names neither a domain nor a tenant")
    if not domain:
        missing["machine_account"] = Missing(UNSUPPORTED, "the host has joined no Active Directory domain")
    if values["entra_device"] is None:
        missing["entra_device"] = Missing(UNSUPPORTED, "dsregcmd names no device id of Entra ID")
    if values["server"] is None:
        missing["server"] = Missing(UNSUPPORTED, "no enrolment in force names its server")
    return Seen(values | _managers(host, missing), missing)


def _account(host: Host, missing: dict[str, Missing]) -> str | None:
    try:
        found = host.machine_account()
    except PermissionError as error:
        missing["machine_account"] = Missing(DENIED, str(error))
    except (OSError, ValueError) as error:
        missing["machine_account"] = Missing(ERROR, str(error))
    else:
        if not found:
            missing["machine_account"] = Missing(UNSUPPORTED, "the security authority keeps no account of the machine")
        return found or None
    return None


def _enrolments(host: Host) -> list[str]:
    """Hosts of the management servers with an enrolment in force.

    Not from MdmUrl of dsregcmd, which it also prints where the tenant has a server and the device none.
    """
    found = []
    try:
        names = host.subkeys(_ENROLMENTS)
    except FileNotFoundError:
        return []
    for name in names:
        key = rf"{_ENROLMENTS}\{name}"
        try:
            in_force = int(host.registry(key, "EnrollmentState")) == _ENROLLED
            provider = str(host.registry(key, "ProviderID"))
        except FileNotFoundError:
            continue
        if in_force and provider == _MDM:
            try:
                found.append(_host_of(str(host.registry(key, "DiscoveryServiceFullURL"))))
            except FileNotFoundError:
                found.append("")
    return found


def _host_of(address: str) -> str:
    match = re.match(r"\w+://(?:[^/@]*@)?([^/:?#]+)", address)
    return match[1].lower() if match else ""


def _macos(host: Host) -> Seen:
    missing: dict[str, Missing] = {}
    bound = host.run(_BINDING)
    domain = re.search(r"^Active Directory Domain\s*=\s*(\S+)", bound.output, re.MULTILINE)
    status = host.run(_PROFILES).output
    enrolled = re.search(r"^MDM enrollment:\s*(Yes|No)", status, re.MULTILINE)
    server = re.search(r"^MDM server:\s*(\S+)", status, re.MULTILINE)
    values: dict[str, Any] = {
        "directory": "active_directory" if domain else "none",
        "domain": domain[1].lower() if domain else None,
        "enrolled": enrolled[1] == "Yes" if enrolled else None,
        "server": (_host_of(server[1]) or None) if server else None,
    }
    if bound.status != 0 and not domain:
        values["directory"] = None
        missing["directory"] = Missing(UNSUPPORTED, "dsconfigad did not answer")
    if values["domain"] is None:
        missing["domain"] = Missing(UNSUPPORTED, "dsconfigad names no domain")
    if enrolled is None:
        missing["enrolled"] = Missing(UNSUPPORTED, "profiles did not state whether the Mac is enrolled")
    if values["server"] is None:
        missing["server"] = Missing(UNSUPPORTED, "profiles names no server")
    return Seen(values | _NO_KEYS | _managers(host, missing), missing | _ONLY_WINDOWS)


PROBE = Probe(
    name="management",
    schema_version=1,
    reads=(
        _SSSD,
        f"{_SSSD_MORE}/*.conf",
        _SMB,
        f"whether {_KEYTAB} and /var/lib/samba/private/secrets.tdb are there",
        *_ENTRA,
        "names of processes or services",
        "paths in products.toml",
        " ".join(_DSREGCMD),
        "LsaQueryInformationPolicy PolicyMachineAccountInformation",
        rf"HKLM\{_ENROLMENTS}: EnrollmentState, ProviderID, DiscoveryServiceFullURL",
        " ".join(_BINDING),
        " ".join(_PROFILES),
    ),
    look=look,
)
