"""Everything that can be taken away from a domain: attributes, lists, units, descriptors, schema, the connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from collectors.ad import attributes, decode
from collectors.ports.directory import Entry
from collectors.ports.ldap_errors import failure
from scanner.errors import Malformed, ReadError, Truncated, Unreachable
from scanner.model import GapWhy
from tests.collectors.ad.forest import BASE, SCHEMA
from tests.honesty.directory import Denial, Domain, below
from tests.honesty.domain import CONFIGURATION, everything, root
from tests.honesty.law import Loss

TARGET = "domain"
PAGE = 5
SAID_BY: Mapping[str, tuple[str, ...]] = {
    "objectSid": ("SID", "primary group"),
    "objectClass": ("what it is", "no right", "groups show"),
    "nTSecurityDescriptor": ("no right", "nothing is shown", "forest", "schema"),
    "schemaIDGUID": ("no right", "schema"),
    "lDAPDisplayName": ("no right", "schema"),
    "nCName": ("forest",),
    "systemFlags": ("forest",),
    "msDS-AuthNPolicySiloEnforced": ("vault is enforced",),
    "msDS-AuthNPolicySiloMembers": ("members of CN=vault",),
}
"""How a loss is told where the attribute itself is not named: by what it would have told."""
EXAMPLES = ("chief", "svc-backup", "ws1", "operators", "Domain Users", "partner.test")
"""One of each kind of object, of each of which every attribute is denied alone."""
RESULTS: tuple[tuple[str, int], ...] = (
    ("operationsError", 1),
    ("protocolError", 2),
    ("timeLimitExceeded", 3),
    ("sizeLimitExceeded", 4),
    ("referral", 10),
    ("adminLimitExceeded", 11),
    ("unavailableCriticalExtension", 12),
    ("noSuchObject", 32),
    ("insufficientAccessRights", 50),
    ("busy", 51),
    ("unavailable", 52),
    ("unwillingToPerform", 53),
    ("other", 80),
)


def failures() -> Iterator[tuple[str, ReadError]]:
    """What ends a search: each result code of a server, and what becomes of the connection."""
    for name, code in RESULTS:
        yield name, failure({"result": code, "description": name, "message": ""}, BASE)
    yield "no answer in time", Unreachable("dc1:636: searching: timed out")
    yield "connection reset", Truncated("dc1:636: searching: the connection broke off")
    yield "answer malformed", Malformed("dc1:636: searching: not what LDAP says (ValueError)")


@dataclass(frozen=True)
class Domains:
    """The losses of one domain; entries and their names are looked at when they are made."""

    entries: list[Entry] = field(default_factory=everything)

    def names(self, *of: str) -> frozenset[str]:
        """Folded names of the domain's objects, of those called so where names are given."""
        wanted = {one.casefold() for one in of}
        return frozenset(
            decode.folded(one.dn) for one in self.entries if not of or decode.own_name(one.dn).casefold() in wanted
        )

    def _denied(self, *denials: Denial) -> dict[str, Callable[[], Domain]]:
        return {TARGET: lambda: Domain(self.entries, denials)}

    def everywhere(self) -> Iterator[Loss]:
        """Each attribute denied on every object, and each of the server's own left out."""
        for name in attributes.DECLARED:
            denial = Denial(self.names(), name)
            yield Loss(name, self._denied(denial), (name, *SAID_BY.get(name, ())), why=None)
        for name in attributes.ROOT:
            held = root()
            less = replace(held, values={key: given for key, given in held.values.items() if key != name.lower()})
            source = {TARGET: lambda less=less: Domain(self.entries, itself=less)}
            said = (name, "token", "no right", "forest")
            yield Loss(f"rootDSE without {name}", source, said)

    def on_one(self) -> Iterator[Loss]:
        """Each attribute of objects denied on one object of each kind."""
        for name in sorted({*attributes.OBJECT, *attributes.GROUP}):
            for example in EXAMPLES:
                objects = self.names(example)
                words = (name, *SAID_BY.get(name, ()), *objects)
                yield Loss(
                    f"{name} of {example}", self._denied(Denial(objects, name)), words, "one attribute of one object"
                )

    def units(self) -> Iterator[Loss]:
        """List Contents denied on each unit and container: what stands below is gone, or what stands just below."""
        for dn in self._holders():
            for deep, how in ((True, "all below"), (False, "just below")):
                denial = Denial(frozenset({decode.folded(dn)}), lists=True, deep=deep)
                words = (dn, *(("forest", "schema") if decode.under(dn, CONFIGURATION) else ()))
                yield Loss(f"{dn} ({how})", self._denied(denial), words, "List Contents")

    def hidden(self) -> Iterator[Loss]:
        """Each unit and container, and one object of each kind, shown by its name alone, with nothing below it."""
        holders = {decode.folded(dn) for dn in self._holders()}
        for one in self.entries:
            if decode.within(one.dn, BASE) and decode.folded(one.dn) in holders | self.names(*EXAMPLES):
                denial = Denial(frozenset({decode.folded(one.dn)}), whole=True)
                yield Loss(one.dn, self._denied(denial), (one.dn,), "object shown by its name alone")

    def members(self) -> Iterator[Loss]:
        """Both ends of a membership denied at once, group by group."""
        for one in self.entries:
            if b"group" not in one.values.get("objectclass", ()):
                continue
            group = frozenset({decode.folded(one.dn)})
            held = {decode.folded(name.decode()) for name in one.values.get("member", ())}
            denials = (Denial(group, "member"), Denial(frozenset(held) | group, "memberOf"))
            yield Loss(one.dn, self._denied(*denials), ("memberOf", "member"), "both ends of a membership")

    def schema(self) -> Iterator[Loss]:
        """The schema not shown, not listed, and without each definition of which an older schema cannot be without.

        That a definition of a later schema is hidden, alone among its like, cannot be told from its absence.
        """
        gone = [one for one in self.entries if not decode.under(one.dn, SCHEMA)]
        yield Loss("schema not shown", {TARGET: lambda: Domain(gone)}, ("no right", "schema"), "schema")
        for one in self.entries:
            name = decode.own_name(one.dn)
            if decode.under(one.dn, SCHEMA) and name not in attributes.LATER:
                left = [other for other in self.entries if other is not one]
                source = {TARGET: lambda left=left: Domain(left)}
                yield Loss(f"schema without {name}", source, (name, "no right", "schema"), "schema")

    def configuration(self) -> Iterator[Loss]:
        """Listing denied below each object of the configuration, and each of them hidden."""
        for one in self.entries:
            if decode.under(one.dn, CONFIGURATION) and not decode.under(one.dn, SCHEMA):
                at = frozenset({decode.folded(one.dn)})
                words = (one.dn, decode.own_name(one.dn), "forest")
                yield Loss(f"{one.dn} not listed", self._denied(Denial(at, lists=True)), words, "configuration")
                yield Loss(f"{one.dn} hidden", self._denied(Denial(at, whole=True)), words, "configuration")

    def cut(self, given: Iterable[int]) -> Iterator[Loss]:
        """Each search broken off at the end of each page, a page being a few entries, and each failure in its midst."""
        counts = list(given)
        error = Truncated("dc1:636: searching: the connection broke off in mid-page")
        for search, count in enumerate(counts):
            for after in range(0, count + 1, PAGE):
                source = {TARGET: lambda at=(search, after, error): Domain(self.entries, breaks=at)}
                yield Loss(
                    f"search {search + 1} after {after}", source, (str(error),), "page cut off", GapWhy.TRUNCATED
                )
        for name, failed in failures():
            for search, count in enumerate(counts):
                at = (search, count // 2, failed)
                source = {TARGET: lambda at=at: Domain(self.entries, breaks=at)}
                said = (str(failed), "forest")  # without the right to it, there is no forest to be seen
                yield Loss(f"{name}: search {search + 1} after {at[1]}", source, said, name, failed.why)

    def _holders(self) -> list[str]:
        names = [one.dn for one in self.entries]
        return [dn for dn in names if any(below(other, decode.folded(dn), False) for other in names)]
