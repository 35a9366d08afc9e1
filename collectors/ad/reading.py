"""One reading of one domain: whose it is, what it lists, and whether anything was hidden from us."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from collectors.ad import attributes, computers, decode, lifecycle, users
from collectors.ad.directory import TrustList
from collectors.ad.groups import GroupTable
from collectors.ad.listings import Listings
from collectors.ad.privilege import Weighing
from collectors.ad.rights import Rights, schema_of
from collectors.ad.settings import Settings
from collectors.ad.silos import ForestTable
from collectors.ad.source import CapturedSource, LiveSource
from collectors.ad.users import Account
from collectors.ad.view import Domain, Losses, View
from collectors.ports.directory import Entry
from scanner.errors import Malformed
from scanner.model import Access, Fact, Gap, GapWhy, Record, SourceIdentity, Target, promised_facts

FACTS = frozenset(attributes.OF_FACTS)
SKEW = timedelta(minutes=5)
"""Beyond this Kerberos refuses, and a time stamp of the domain says little."""
_SET_UP_CLOSED = re.compile(
    r"cn=keys|cn=ntds quotas|cn=tpm devices|(.*,)?cn=password settings container,cn=system|cn=microsoftdns,cn=system"
    r"|cn=ipsec\w+\{[0-9a-f-]{36}\},cn=ip security,cn=system"
)
"""What every domain is set up with and hides from ordinary accounts: policies, keys, quotas, names; no accounts."""
_UNSAID = (
    ("User", "category", "the directory does not say whom an account serves; options service_units, person_units"),
    ("Activity", "idle_since", "lastLogonTimestamp is up to 14 days behind the last sign-in"),
    ("MachineAccount", "idle_since", "lastLogonTimestamp is up to 14 days behind the last sign-in"),
    ("Privilege", "daily_work", "the directory does not say what an account is used for"),
    ("Device", "category", "the directory does not tell a laptop from a desktop"),
)
_GROUPS = frozenset({b"group", b"foreignSecurityPrincipal"})
_NO_UNITS = "option external_units does not say which units hold accounts of others"


class DomainReading:
    """Asks a source for one domain and turns the answers into records."""

    def __init__(
        self, access: Access, source: LiveSource | CapturedSource, promises: frozenset[str], listings: Listings
    ) -> None:
        self._access = access
        self._source = source
        self._promised = promised_facts(promises) & FACTS
        self._losses = Losses(promises)
        self._listings = listings
        self._holes: dict[str, None] = {}
        self._referred: dict[str, str] = {}
        self._seen: set[str] = set()
        self._accounts: list[Account] = []
        self._unweighed = ""
        self._lifecycle = lifecycle.known()

    def records(self) -> Iterator[Record]:
        """Everything of the domain, which is then noted in the listings. Raises ReadError."""
        root = self._source.root()
        base, observed_at = _base_of(root), self._time(root)
        host = root.first("dnshostname")
        if host is not None:
            yield SourceIdentity(kind="domain_controller", value=host.decode("utf-8", "replace"))
        now = self._access.now()
        if isinstance(self._source, LiveSource) and abs(now - observed_at) > SKEW:
            seconds = (observed_at - now).total_seconds()
            yield SourceIdentity(kind="clock_offset", value=f"{seconds:+.0f} seconds from ours, which counts")
            observed_at = now
        schema = schema_of(list(self._source.schema(decode.text(root.first("schemanamingcontext") or b""))))
        rights = Rights(frozenset(root.values.get("tokengroups", ())), schema)
        if "tokengroups" not in root.values:
            self._holes["the server does not show the token of our session"] = None
        forest = ForestTable()
        for entry in self._source.configuration(decode.text(root.first("configurationnamingcontext") or b"")):
            forest.add(entry, rights)
        group_entries = list(self._source.groups(base))
        domain = self._domain(base, observed_at, group_entries)
        yield SourceIdentity(kind="domain_sid", value=domain.sid)
        table = GroupTable(domain.sid)
        settings = Settings(domain, rights, forest, self._promised)
        for entry in group_entries:
            if _GROUPS.intersection(entry.values.get("objectclass", ())):
                table.add(entry, rights)
            else:
                settings.add(entry)
        del group_entries
        yield from self._source.captures()
        trusts = TrustList(domain)
        for entry in self._source.objects(base):
            yield from self._object(entry, domain, rights, schema.holders, table, trusts, settings)
            if isinstance(self._source, LiveSource) and self._source.full():
                yield from self._source.captures()
        yield from self._source.captures()
        self._compare(table, base)
        yield from self._weighed(rights, trusts, settings)
        yield from self._directory(trusts, settings)
        yield from self._losses.rest()
        for hole in self._holes:
            self._listings.hidden(hole)
        self._listings.forest(forest, trusts)
        self._listings.whole(base, domain.dns, observed_at)

    def _time(self, root: Entry) -> datetime:
        said = root.first("currenttime")
        if said is None:
            raise Malformed("the server does not say what time it is (currentTime of rootDSE)")
        try:
            return decode.generalized_time(said)
        except ValueError as error:
            raise Malformed(f"currentTime: {error}") from error

    def _domain(self, base: str, observed_at: datetime, groups: list[Entry]) -> Domain:
        sids = set()
        for entry in groups:
            raw = entry.first("objectsid")
            with_rid = _sid(raw) if raw is not None and len(raw) == 28 else ""
            if b"group" in entry.values.get("objectclass", ()) and with_rid.startswith("S-1-5-21-"):
                sids.add(with_rid.rpartition("-")[0])
        if len(sids) != 1:
            raise Malformed(f"{base}: its groups show {len(sids)} domain SIDs, where one is expected")
        options = self._access.target.options
        external = options.get("external_units")
        return Domain(
            base=base,
            dns=decode.dns_name(base),
            sid=sids.pop(),
            observed_at=observed_at,
            external_units=None if external is None else tuple(map(str, external)),
            service_units=tuple(map(str, options.get("service_units", ()))),
            person_units=tuple(map(str, options.get("person_units", ()))),
            shared_units=tuple(map(str, options.get("shared_units", ()))),
            break_glass_units=tuple(map(str, options.get("break_glass_units", ()))),
        )

    def _object(
        self,
        entry: Entry,
        domain: Domain,
        rights: Rights,
        holders: frozenset[str],
        table: GroupTable,
        trusts: TrustList,
        settings: Settings,
    ) -> Iterator[Record]:
        folded = decode.folded(entry.dn)
        if folded in self._seen:
            return
        self._seen.add(folded)
        classes = {value.decode("ascii", "replace").lower() for value in entry.values.get("objectclass", ())}
        grant = rights.of(entry)
        set_up_closed = _SET_UP_CLOSED.fullmatch(folded.removesuffix("," + decode.folded(domain.base)))
        if not classes:
            if not set_up_closed:
                self._holes[f"{entry.dn} does not show what it is"] = None
            return
        if classes & holders and not grant.lists and not set_up_closed:
            self._holes[f"no right is shown to list what stands in {entry.dn}"] = None
        if "ntsecuritydescriptor" not in entry.values:
            self._unweighed = self._unweighed or entry.dn
        if "group" in classes and entry.dn not in table:
            self._holes[f"group {entry.dn} was not among the groups"] = None
        if "trusteddomain" in classes:
            trusts.add(entry, rights)
        if "user" not in classes:
            return
        managed = classes & {"msds-managedserviceaccount", "msds-groupmanagedserviceaccount"}
        kind = "device" if "computer" in classes and not managed else "user"
        raw = entry.first("objectsid")
        sid = _sid(raw) if raw is not None else ""
        if not sid:
            self._holes[f"{entry.dn} does not show its SID"] = None
            return
        view = View(entry, f"{kind}:{domain.dns}:{sid}", grant)
        for name in (*(view.values("memberOf") or ()), *(view.values("manager") or ())):
            self._referred.setdefault(decode.folded(name.decode("utf-8", "replace")), entry.dn)
        if kind == "user":
            for found in users.facts(view, domain, sid, table, settings):
                if isinstance(found, Account):
                    self._accounts.append(found)
                else:
                    yield from self._kept(found)
            if sid == f"{domain.sid}-502":
                settings.ticket_account(view)
        else:
            for fact in computers.facts(view, domain, table, self._lifecycle):
                yield from self._kept(fact)
        yield from self._losses.gaps(view)

    def _kept(self, fact: Fact) -> Iterator[Fact]:
        if self._listings.add(fact):
            yield fact

    def _compare(self, table: GroupTable, base: str) -> None:
        """What is referred to and was not shown: somebody stands where we may not look."""
        for referred in (table.referred, self._referred):
            for name, place in referred.items():
                if name not in self._seen and decode.within(name, base):
                    self._holes[f"{place} refers to {name}, which is not shown"] = None

    def _weighed(self, rights: Rights, trusts: TrustList, settings: Settings) -> Iterator[Record]:
        """What of each account takes all groups and rights to be known."""
        weighing = Weighing(
            settings,
            powerful=frozenset(_sid(raw) for raw in rights.powerful),
            forest_has_others=trusts.forest_has_others or settings.forest.has_others(settings.domain.dns),
            hidden=self._unweighed or next(iter(self._holes), ""),
        )
        for account in self._accounts:
            view = View(Entry(""), account.asset, rights.of(Entry("")))
            for fact in weighing.facts(account, view):
                yield from self._kept(fact)
            yield from self._losses.gaps(view)

    def _directory(self, trusts: TrustList, settings: Settings) -> Iterator[Record]:
        for record in trusts.facts(self._holes):
            if isinstance(record, Gap):
                if self._losses.speaks_of(record.fact, record.field or ""):
                    yield record
            else:
                yield from self._kept(record)
        if "DirectoryDefence" in self._promised:
            yield from self._kept(settings.defence())
            yield from self._losses.gaps(settings.view)


def unsaid(target: Target, promises: frozenset[str]) -> Iterator[Gap]:
    """What no directory says of anybody, as far as it is promised."""
    losses = Losses(promises)
    none = target.options.get("external_units") is None
    for fact, name, detail in (*_UNSAID, *((fact, "external", _NO_UNITS) for fact in ("User", "Device") if none)):
        if losses.speaks_of(fact, name):
            why = GapWhy.STALE if name == "idle_since" else GapWhy.UNSUPPORTED
            yield Gap(fact=fact, why=why, detail=detail, field=name)


def _base_of(root: Entry) -> str:
    base = root.first("defaultnamingcontext")
    if base is None:
        raise Malformed("the server does not say which domain it holds (defaultNamingContext of rootDSE)")
    return decode.text(base)


def _sid(raw: bytes) -> str:
    try:
        return decode.sid_text(raw)
    except ValueError:
        return ""
