"""Fills a provisioned domain; run by the system's Python, which has Samba's modules: FOLDER PASSWORD."""

import json
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

import ldb
from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_pack, ndr_unpack
from samba.param import LoadParm
from samba.samdb import SamDB

BASE = "DC=corp,DC=test"
RELAX = ["local_oid:1.3.6.1.4.1.7165.4.3.20:0"]
DENIED = [
    "objectSid",
    "sAMAccountName",
    "displayName",
    "userAccountControl",
    "accountExpires",
    "lastLogonTimestamp",
    "whenCreated",
    "msDS-UserPasswordExpiryTimeComputed",
    "primaryGroupID",
    "memberOf",
    "sIDHistory",
    "manager",
    "pwdLastSet",
    "adminCount",
    "msDS-ResultantPSO",
    "msDS-AllowedToDelegateTo",
    "msDS-AllowedToActOnBehalfOfOtherIdentity",
    "msDS-SupportedEncryptionTypes",
    "servicePrincipalName",
    "msDS-KeyCredentialLink",
    "msDS-AssignedAuthNPolicySilo",
    "msDS-AssignedAuthNPolicy",
]
"""Attributes each of which one user hides from svc-noattr."""


def filetime(moment: datetime) -> str:
    return str(int((moment - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10_000_000)


class Seed:
    def __init__(self, folder: Path, password: str) -> None:
        lp = LoadParm()
        lp.load(str(folder / "etc" / "smb.conf"))
        self.db = SamDB(url=str(folder / "private" / "sam.ldb"), session_info=system_session(), lp=lp)
        self.password = password

    def unit(self, name: str) -> str:
        self.db.add({"dn": f"OU={name},{BASE}", "objectClass": "organizationalUnit"})
        return f"OU={name},{BASE}"

    def user(self, name: str, unit: str = "OU=People", **changes: str) -> str:
        self.db.newuser(name, self.password, userou=unit)
        dn = f"CN={name},{unit},{BASE}"
        self.change(dn, **changes)
        return dn

    def change(self, dn: str, **changes: str) -> None:
        if changes:
            message = ldb.Message(ldb.Dn(self.db, dn))
            for name, value in changes.items():
                name = name.replace("_", "-")
                message[name] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, name)
            self.db.modify(message, controls=RELAX)

    def mark(self, dn: str, flags: int) -> None:
        """Set userAccountControl; under the relaxing control most flags are refused."""
        message = ldb.Message(ldb.Dn(self.db, dn))
        name = "userAccountControl"
        message[name] = ldb.MessageElement(str(flags), ldb.FLAG_MOD_REPLACE, name)
        self.db.modify(message)

    def group(self, name: str, *members: str) -> None:
        self.db.newgroup(name, groupou="OU=Groups")
        if members:
            self.join(name, *members)

    def join(self, name: str, *members: str) -> None:
        self.db.add_remove_group_members(name, list(members), add_members_operation=True)

    def sid(self, account: str) -> str:
        found = self.db.search(BASE, expression=f"(sAMAccountName={account})", attrs=["objectSid"])
        return str(ndr_unpack(security.dom_sid, found[0]["objectSid"][0]))

    def guid(self, attribute: str) -> str:
        schema = str(self.db.get_schema_basedn())
        found = self.db.search(schema, expression=f"(lDAPDisplayName={attribute})", attrs=["schemaIDGUID"])
        return str(uuid.UUID(bytes_le=bytes(found[0]["schemaIDGUID"][0])))

    def deny(self, dn: str, *aces: str) -> None:
        """Put entries in front of a DACL; SDDL."""
        domain = security.dom_sid(self.db.get_domain_sid())
        found = self.db.search(dn, scope=ldb.SCOPE_BASE, attrs=["nTSecurityDescriptor"])
        sddl = ndr_unpack(security.descriptor, found[0]["nTSecurityDescriptor"][0]).as_sddl(domain)
        place = sddl.index("(", sddl.index("D:"))
        changed = security.descriptor.from_sddl(sddl[:place] + "".join(aces) + sddl[place:], domain)
        message = ldb.Message(ldb.Dn(self.db, dn))
        message["sd"] = ldb.MessageElement(ndr_pack(changed), ldb.FLAG_MOD_REPLACE, "nTSecurityDescriptor")
        self.db.modify(message, controls=["sd_flags:1:4"])


def bind(seed: Seed) -> None:
    """What binds accounts: flags, settings for passwords, protected groups, silos, delegation, managed accounts."""
    for name, flags in (("card", 0x40000), ("empty", 0x20), ("roastable", 0x400000), ("weak", 0x200000)):
        seed.mark(seed.user(name), 0x200 | flags)
    seed.user("shielded")
    seed.group("shielded-ones", "shielded")
    seed.join("Protected Users", "shielded-ones")
    seed.user("kerberoastable", servicePrincipalName="http/one.corp.test")
    seed.mark(seed.user("delegate", msDS_AllowedToDelegateTo="cifs/ws1.corp.test"), 0x1000200)
    seed.mark(f"CN=SRV1,OU=Computers2,{BASE}", 0x1000 | 0x80000)
    own = seed.user("keyed")
    seed.change(own, msDS_KeyCredentialLink=f"B:8:00020000:{own}")
    for name, length in (("shown", "14"), ("hidden", "20")):
        user = seed.user(f"pso-{name}")
        dn = f"CN={name},CN=Password Settings Container,CN=System,{BASE}"
        seed.db.add(
            {
                "dn": dn,
                "objectClass": "msDS-PasswordSettings",
                "msDS-PasswordSettingsPrecedence": "10",
                "msDS-PasswordReversibleEncryptionEnabled": "FALSE",
                "msDS-PasswordHistoryLength": "12",
                "msDS-PasswordComplexityEnabled": "TRUE",
                "msDS-MinimumPasswordLength": length,
                "msDS-MinimumPasswordAge": "0",
                "msDS-MaximumPasswordAge": "-9223372036854775808",
                "msDS-LockoutThreshold": "3",
                "msDS-LockoutObservationWindow": "-18000000000",
                "msDS-LockoutDuration": "-18000000000",
                "msDS-PSOAppliesTo": user,
            }
        )
    seed.deny(f"CN=shown,CN=Password Settings Container,CN=System,{BASE}", f"(A;;RPRC;;;{seed.sid('svc-scan')})")
    siloed, outside = seed.user("siloed"), seed.user("not-admitted")
    silo = f"CN=tier0,CN=AuthN Silos,CN=AuthN Policy Configuration,CN=Services,CN=Configuration,{BASE}"
    seed.db.add(
        {
            "dn": silo,
            "objectClass": "msDS-AuthNPolicySilo",
            "msDS-AuthNPolicySiloEnforced": "TRUE",
            "msDS-AuthNPolicySiloMembers": siloed,
        }
    )
    for user in (siloed, outside):
        seed.change(user, msDS_AssignedAuthNPolicySilo=silo)
    seed.db.add(
        {
            "dn": f"CN=gmsa1,CN=Managed Service Accounts,{BASE}",
            "objectClass": "msDS-GroupManagedServiceAccount",
            "sAMAccountName": "gmsa1$",
            "msDS-ManagedPasswordInterval": "30",
            "userAccountControl": "4096",
        }
    )


def main(folder: Path, password: str) -> None:
    seed = Seed(folder, password)
    seed.db.transaction_start()
    for unit in ("People", "Vendors", "Groups", "Computers2", "Denied", "Silent", "Referred"):
        seed.unit(unit)
    seed.change(BASE, lockoutThreshold="5")
    for scanner in ("svc-scan", "svc-noattr", "svc-nolist", "svc-noreferred", "svc-nogroup"):
        seed.user(scanner)
    seed.user("alice", displayName="Alice Lin")
    seed.user("bob", userAccountControl="514")
    seed.user("carol", userAccountControl="66048")
    seed.user("dave", accountExpires=filetime(datetime(2099, 1, 1, tzinfo=UTC)))
    seed.user("ended", accountExpires=filetime(datetime(2020, 1, 1, tzinfo=UTC)))
    seed.user("eve", lastLogonTimestamp=filetime(datetime(2026, 1, 2, tzinfo=UTC)))
    seed.user("former", adminCount="1")
    seed.user("locked", lockoutTime=filetime(datetime.now(UTC)))
    seed.user("aged", pwdLastSet=filetime(datetime(2020, 1, 1, tzinfo=UTC)))
    seed.user("renew", pwdLastSet="0")
    seed.user("victor", "OU=Vendors")
    seed.user("helpdesk")
    seed.group("team-a", "alice")
    seed.group("team-b", "team-a")
    seed.join("team-a", "team-b")
    seed.join("Domain Admins", "team-b")
    seed.group("ebank-users", "bob", "eve")
    seed.db.newcomputer("WS1", computerou="OU=Computers2")
    seed.change(
        f"CN=WS1,OU=Computers2,{BASE}",
        operatingSystem="Windows 11 Enterprise",
        operatingSystemVersion="10.0 (22631)",
        dNSHostName="ws1.corp.test",
    )
    seed.db.newcomputer("SRV1", computerou="OU=Computers2")
    seed.change(f"CN=SRV1,OU=Computers2,{BASE}", operatingSystem="Windows Server 2022 Standard")
    seed.deny(f"CN=eve,OU=People,{BASE}", f"(OA;;CR;00299570-246d-11d0-a768-00aa006e0529;;{seed.sid('helpdesk')})")
    controller = ldb.Message(ldb.Dn(seed.db, f"CN=DC1,OU=Domain Controllers,{BASE}"))
    name = "servicePrincipalName"
    controller[name] = ldb.MessageElement("ldap/dc1.corp.test", ldb.FLAG_MOD_ADD, name)
    seed.db.modify(controller)
    trusts = (("filtered.test", 3, 0x14), ("open.test", 2, 0), ("inward.test", 1, 0))
    for number, (partner, direction, attributes) in enumerate(trusts, 1):
        seed.db.add(
            {
                "dn": f"CN={partner},CN=System,{BASE}",
                "objectClass": "trustedDomain",
                "trustPartner": partner,
                "flatName": partner.split(".")[0].upper(),
                # Where one lacks its SID the KDC loads no trust at all and knows no service by its host name.
                "securityIdentifier": ndr_pack(security.dom_sid(f"S-1-5-21-1-2-{number}")),
                "trustDirection": str(direction),
                "trustAttributes": str(attributes),
                "trustType": "2",
            },
            controls=RELAX,
        )
    bind(seed)
    blind = seed.sid("svc-noattr")
    for number, attribute in enumerate(DENIED):
        dn = seed.user(f"hides-{number}", "OU=Denied", displayName=f"Hides {attribute}")
        seed.deny(dn, f"(OD;;RP;{seed.guid(attribute)};;{blind})")
    seed.user("silent", "OU=Silent")
    seed.deny(f"OU=Silent,{BASE}", f"(D;;LC;;;{seed.sid('svc-nolist')})")
    seed.user("referred", "OU=Referred")
    seed.group("holds-referred", "referred")
    # The unit itself is out of sight too, so that only the group's member list tells of anyone below it.
    seed.deny(f"OU=Referred,{BASE}", f"(D;CI;LCLORPRC;;;{seed.sid('svc-noreferred')})")
    seed.deny(
        f"CN=team-b,OU=Groups,{BASE}",
        f"(OD;;RP;{seed.guid('member')};;{seed.sid('svc-nogroup')})",
        f"(OD;;RP;{seed.guid('memberOf')};;{seed.sid('svc-nogroup')})",
    )
    seed.deny(f"CN=alice,OU=People,{BASE}", f"(OD;;RP;{seed.guid('memberOf')};;{seed.sid('svc-nogroup')})")
    seed.db.transaction_commit()
    (folder / "denied.json").write_text(json.dumps(DENIED))


main(Path(sys.argv[1]), sys.argv[2])
