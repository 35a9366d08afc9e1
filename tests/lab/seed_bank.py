"""Sets up the lab bank's domain in a provisioned one; run by the system's Python: FOLDER PASSWORD DESCRIPTION.

DESCRIPTION is the domain as JSON. Writes ``sids.json`` beside the database: what the server itself calls them.
"""

import json
import sys
from pathlib import Path

import ldb
from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_pack, ndr_unpack
from samba.param import LoadParm
from samba.samdb import SamDB

RELAX = ["local_oid:1.3.6.1.4.1.7165.4.3.20:0"]


def sid_of(db: SamDB, dn: str) -> str:
    found = db.search(dn, scope=ldb.SCOPE_BASE, attrs=["objectSid"])
    return str(ndr_unpack(security.dom_sid, found[0]["objectSid"][0]))


def main(folder: Path, password: str, description: Path) -> None:
    domain = json.loads(description.read_text())
    lp = LoadParm()
    lp.load(str(folder / "etc" / "smb.conf"))
    db = SamDB(url=str(folder / "private" / "sam.ldb"), session_info=system_session(), lp=lp)
    db.transaction_start()
    db.newuser(domain["reader"], password)
    for unit in domain["units"]:
        db.add({"dn": unit, "objectClass": "organizationalUnit"})
    for group in domain["groups"]:
        db.newgroup(group, groupou="OU=Groups")
    for account in domain["accounts"]:
        # Nobody signs in with them: they get no password, and the relaxed rules let them be enabled without one.
        db.add(
            {
                "dn": account["dn"],
                "objectClass": "user",
                "sAMAccountName": account["name"],
                "displayName": account["display_name"],
                "userAccountControl": account["control"],
                "accountExpires": account["expires"],
                "lastLogonTimestamp": account["last_logon"],
                **({"adminCount": "1"} if account["marked"] else {}),
            },
            controls=RELAX,
        )
    members: dict[str, list[str]] = {}
    for account in domain["accounts"]:
        for group in account["groups"]:
            members.setdefault(group, []).append(account["dn"])
    for group, listed in members.items():
        found = db.search(str(db.get_default_basedn()), expression=f"(&(objectClass=group)(sAMAccountName={group}))")
        message = ldb.Message(found[0].dn)
        message["member"] = ldb.MessageElement(listed, ldb.FLAG_MOD_ADD, "member")
        db.modify(message)
    for number, trust in enumerate(domain["trusts"], 1):
        db.add(
            {
                "dn": f"CN={trust['partner']},CN=System,{db.get_default_basedn()}",
                "objectClass": "trustedDomain",
                "trustPartner": trust["partner"],
                "flatName": trust["partner"].split(".")[0].upper()[:15],
                "securityIdentifier": ndr_pack(security.dom_sid(f"S-1-5-21-1-2-{number}")),
                "trustDirection": str(trust["direction"]),
                "trustAttributes": str(trust["flags"]),
                "trustType": "2",
            },
            controls=RELAX,
        )
    db.transaction_commit()
    sids = {account["name"]: sid_of(db, account["dn"]) for account in domain["accounts"]}
    (folder / "sids.json").write_text(json.dumps({"domain": str(db.get_domain_sid()), "accounts": sids}))


main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
