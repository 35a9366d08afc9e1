"""The entries of a small domain: staff, vendors, services, computers, groups in groups, trusts, settings, schema."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from collectors.ad import attributes, decode
from collectors.ports.directory import Entry
from tests.collectors.ad import forest
from tests.collectors.ad.forest import BASE, DOMAIN_SID, SCHEMA
from tests.collectors.stage import NOW

CONFIGURATION = f"CN=Configuration,{BASE}"
POLICIES = f"CN=AuthN Policy Configuration,CN=Services,{CONFIGURATION}"
SYSTEM = f"CN=System,{BASE}"
CONTAINERS = ("Users", "Computers", "Builtin", "System")
UNITS = ("People", "Vendors", "Services", "Groups", "Workstations", "Servers", "Domain Controllers")
SMART_CARD, DISABLED, NO_EXPIRY, NORMAL, WORKSTATION, CONTROLLER = 0x40000, 0x2, 0x10000, 0x200, 0x1000, 0x82000


def ticks(days_ago: float) -> str:
    """A FILETIME so many days before the reading; negative for later."""
    moment = NOW - timedelta(days=days_ago)
    return str(int((moment - decode.EPOCH).total_seconds()) * 10_000_000)


def root() -> Entry:
    """The server itself."""
    held = forest.root()
    more = {"configurationnamingcontext": (CONFIGURATION.encode(),), "dnshostname": (b"dc1.corp.test",)}
    return replace(held, values={**held.values, **more})


def everything() -> list[Entry]:
    """Every entry of the domain and of its schema, with every attribute that any search may ask for."""
    return [*_containers(), *_settings(), *_groups(), *_people(), *_computers(), *_trusts(), *_schema()]


def _sid(rid: int) -> bytes:
    return decode.sid_bytes(f"{DOMAIN_SID}-{rid}")


def _entry(dn: str, *classes: str, **values: Any) -> Entry:
    given: dict[str, Any] = {"whenCreated": "20250101000000.0Z", **values}
    return forest.entry(dn, "top", *classes, asked=attributes.DECLARED, **given)


def _containers() -> list[Entry]:
    head = _entry(
        BASE,
        "domain",
        "domainDNS",
        objectSid=decode.sid_bytes(DOMAIN_SID),
        minPwdLength="14",
        pwdProperties="1",
        pwdHistoryLength="24",
        lockoutThreshold="10",
        maxPwdAge=str(-90 * 864_000_000_000),
        msDS_Behavior_Version="7",
        ms_DS_MachineAccountQuota="0",
        msDS_ExpirePasswordsOnSmartCardOnlyAccounts="TRUE",
    )
    units = [_entry(f"OU={name},{BASE}", "organizationalUnit") for name in UNITS]
    return [head, *units, *(_entry(f"CN={name},{BASE}", "container") for name in CONTAINERS)]


def _settings() -> list[Entry]:
    holder = f"CN=Password Settings Container,{SYSTEM}"
    fine = _entry(
        f"CN=strict,{holder}",
        "msDS-PasswordSettings",
        msDS_MinimumPasswordLength="20",
        msDS_PasswordComplexityEnabled="TRUE",
        msDS_PasswordHistoryLength="24",
        msDS_LockoutThreshold="5",
        msDS_MaximumPasswordAge=str(-60 * 864_000_000_000),
    )
    partitions = f"CN=Partitions,{CONFIGURATION}"
    own = _entry(
        f"CN=CORP,{partitions}",
        "crossRef",
        nCName=BASE,
        dnsRoot="corp.test",
        systemFlags="3",
        msDS_Behavior_Version="7",
    )
    policies = POLICIES
    policy = _entry(f"CN=tier0,CN=AuthN Policies,{policies}", "msDS-AuthNPolicy", msDS_AuthNPolicyEnforced="TRUE")
    silo = _entry(
        f"CN=vault,CN=AuthN Silos,{policies}",
        "msDS-AuthNPolicySilo",
        msDS_AuthNPolicySiloEnforced="TRUE",
        msDS_AuthNPolicySiloMembers=[f"CN=chief,OU=People,{BASE}"],
    )
    return [
        _entry(holder, "msDS-PasswordSettingsContainer"),
        fine,
        _entry(CONFIGURATION, "configuration"),
        _entry(partitions, "crossRefContainer", msDS_Behavior_Version="7"),
        own,
        _entry(f"CN=Services,{CONFIGURATION}", "container"),
        _entry(policies, "container"),
        _entry(f"CN=AuthN Policies,{policies}", "msDS-AuthNPolicies"),
        _entry(f"CN=AuthN Silos,{policies}", "msDS-AuthNPolicySilos"),
        policy,
        silo,
    ]


def _group(name: str, rid: int, *members: str, member_of: tuple[str, ...] = (), place: str = "OU=Groups") -> Entry:
    more: dict[str, Any] = {"member": list(members)} if members else {}
    if member_of:
        more["memberOf"] = list(member_of)
    return _entry(f"CN={name},{place},{BASE}", "group", objectSid=_sid(rid), sAMAccountName=name, **more)


def _groups() -> list[Entry]:
    chief, ann, backup = (f"CN={name},OU={unit},{BASE}" for name, unit in WHO)
    inner, admins = f"CN=operators,OU=Groups,{BASE}", f"CN=Domain Admins,CN=Users,{BASE}"
    return [
        _group("Domain Users", 513, place="CN=Users"),
        _group("Domain Computers", 515, place="CN=Users"),
        _group("Domain Controllers", 516, place="CN=Users"),
        _group("Protected Users", 525, chief, place="CN=Users"),
        _group("Domain Admins", 512, inner, place="CN=Users"),
        _group("operators", 1201, chief, member_of=(admins,)),
        _group("staff", 1202, chief, ann, f"CN=bea,OU=People,{BASE}"),
        _group("backup jobs", 1203, backup),
    ]


BUILDS = {
    "Windows 11 Enterprise": "10.0 (26100)",
    "Windows Server 2022 Standard": "10.0 (20348)",
    "Windows Server 2012 R2 Standard": "6.3 (9600)",
}
WHO = (("chief", "People"), ("ann", "People"), ("svc-backup", "Services"))


def _user(name: str, rid: int, unit: str, *groups: str, control: int = NORMAL, **values: Any) -> Entry:
    usual: dict[str, Any] = {
        "objectSid": _sid(rid),
        "sAMAccountName": name,
        "displayName": name.title(),
        "userAccountControl": str(control),
        "accountExpires": "0",
        "lastLogonTimestamp": ticks(3),
        "pwdLastSet": ticks(20),
        "msDS_UserPasswordExpiryTimeComputed": ticks(-40),
        "primaryGroupID": "513",
    }
    if groups:
        usual["memberOf"] = [f"CN={group},{place},{BASE}" for group, _, place in (one.partition("@") for one in groups)]
    return _entry(f"CN={name},OU={unit},{BASE}", "person", "organizationalPerson", "user", **(usual | values))


def _people() -> list[Entry]:
    chief = f"CN=chief,OU=People,{BASE}"
    return [
        _user(
            "chief",
            1101,
            "People",
            "operators@OU=Groups",
            "staff@OU=Groups",
            "Protected Users@CN=Users",
            control=NORMAL | SMART_CARD,
            adminCount="1",
            msDS_AssignedAuthNPolicySilo=f"CN=vault,CN=AuthN Silos,{POLICIES}",
            msDS_ResultantPSO=f"CN=strict,CN=Password Settings Container,{SYSTEM}",
            msDS_KeyCredentialLink=f"B:4:0011:{chief}",
        ),
        _user("ann", 1102, "People", "staff@OU=Groups", manager=chief),
        _user("bea", 1103, "People", "staff@OU=Groups", manager=chief),
        _user("gone", 1104, "People", control=NORMAL | DISABLED, adminCount="1"),
        _user("new", 1105, "People", lastLogonTimestamp="0"),
        _user("vic", 1106, "Vendors", accountExpires=ticks(-60)),
        _user("val", 1107, "Vendors", lastLogonTimestamp=ticks(200)),
        _user(
            "svc-backup",
            1108,
            "Services",
            "backup jobs@OU=Groups",
            control=NORMAL | NO_EXPIRY,
            pwdLastSet=ticks(2000),
            msDS_UserPasswordExpiryTimeComputed=str(decode.NEVER),
            servicePrincipalName=["backup/srv1.corp.test"],
            msDS_AllowedToDelegateTo=["cifs/srv1.corp.test"],
            msDS_SupportedEncryptionTypes="24",
        ),
        replace(_user("krbtgt", 502, "Services", control=NORMAL | DISABLED), dn=f"CN=krbtgt,CN=Users,{BASE}"),
    ]


def _computer(name: str, rid: int, unit: str, control: int, system: str, **values: Any) -> Entry:
    held = _user(name, rid, unit, control=control, sAMAccountName=f"{name}$", displayName=f"{name}$")
    more = _entry(
        held.dn,
        "person",
        "organizationalPerson",
        "user",
        "computer",
        dNSHostName=f"{name}.corp.test",
        operatingSystem=system,
        **{
            "operatingSystemVersion": BUILDS[system],
            "primaryGroupID": "516" if control == CONTROLLER else "515",
            "msLAPS_PasswordExpirationTime": ticks(-10),
            "msDS_SupportedEncryptionTypes": "24",
            **values,
        },
    )
    return replace(more, values={**held.values, **more.values})


def _computers() -> list[Entry]:
    eleven, server = "Windows 11 Enterprise", "Windows Server 2022 Standard"
    return [
        _computer("ws1", 1301, "Workstations", WORKSTATION, eleven),
        _computer("ws2", 1302, "Workstations", WORKSTATION, eleven),
        _computer("srv1", 1303, "Servers", WORKSTATION, server),
        _computer("old1", 1304, "Servers", WORKSTATION | 0x80000, "Windows Server 2012 R2 Standard"),
        _computer("dc1", 1000, "Domain Controllers", CONTROLLER, server),
    ]


def _trusts() -> list[Entry]:
    return [
        _entry(
            f"CN={partner},{SYSTEM}",
            "leaf",
            "trustedDomain",
            trustPartner=partner,
            trustDirection="2",
            trustAttributes=str(flags),
        )
        for partner, flags in (("partner.test", 0x14), ("vendor.test", 0x14))
    ]


def _schema() -> list[Entry]:
    """Definitions of all that is asked for, and the schema itself, which everybody may list."""
    names = sorted({*attributes.DECLARED, *attributes.CLASSES})
    found = [_entry(SCHEMA, "dMD")]
    for name in names:
        values: dict[str, Any] = {"lDAPDisplayName": name, "schemaIDGUID": forest.guid(name), "searchFlags": "0"}
        if name == "userAccountControl":
            values["attributeSecurityGUID"] = forest.guid("account restrictions")
        found.append(_entry(f"CN={name},{SCHEMA}", "classSchema", **values))
    return found
