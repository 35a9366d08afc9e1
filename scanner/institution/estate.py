"""The institution's file: what to read, with which credential, and which assets belong to which system."""

from __future__ import annotations

import ipaddress
import posixpath
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from scanner.errors import ConfigurationError, Problem, nearest
from scanner.facts import FACTS
from scanner.institution.authorities import authorities
from scanner.institution.costs import read_costs
from scanner.institution.csv_source import read_rows
from scanner.institution.nouns import Approver, Caps, Credential, Estate, Selector, System, key_fault
from scanner.institution.secret import reference_fault
from scanner.institution.ssh_signature import SshFault, key_identity, read_key
from scanner.institution.toml_source import Table, TomlSource, is_name, raise_problems, read_file
from scanner.model import Level, Scene, ServiceModel, Target, Text
from scanner.sealed.canonical import files_digest
from scanner.selection.choice_reader import read_candidates

__all__ = [
    "MAIN",
    "Approver",
    "Caps",
    "Credential",
    "Estate",
    "Selector",
    "System",
    "load_estate",
    "parse_estate",
    "sealed_name",
]

MAIN = "estate.toml"
"""Name under which the estate file itself is sealed, whatever it is called on disk."""

KEY_OPTIONS = ("supplier_key",)
"""Target options that name a public key: the file is sealed with the estate, and the option becomes its PEM."""

AUTHORITY_OPTIONS = ("ca_file",)
"""Target options that name certificates: a file is sealed with the estate, and the option becomes its PEM."""

SECRET_OPTIONS = frozenset(
    {"api_key", "client_secret", "community", "passphrase", "passwd", "password", "private_key", "secret", "token"}
)
"""Target options that are refused, since secrets are given by reference only."""

FIELDS = frozenset(f"{fact.__name__}.{name}" for fact in FACTS for name in fact.__struct_fields__[2:])
"""What a target may promise instead of a whole fact; the first two fields, asset and time, stand in every row."""

Fetch = Callable[[str], bytes]
"""Gives the bytes of a file by its path as the estate writes it; raises OSError that says why not."""


def sealed_name(text: str) -> str:
    """Name under which a file is sealed: its relative path, with what leads out of the folder spelled as a name.

    ``../x.pem`` becomes ``__up__/x.pem`` and ``/etc/x.pem`` becomes ``__root__/etc/x.pem``, so that a sealed name can
    never leave the folder it is unpacked into.
    """
    parts = posixpath.normpath(text).split("/")
    if parts[0] == "":
        parts[0] = "__root__"
    return "/".join("__up__" if part == ".." else part for part in parts if part not in ("", "."))


def load_estate(path: Path, collectors: frozenset[str] | None = None) -> Estate:
    """Read an estate file and every file it pulls in; raises ConfigurationError with all that is wrong at once.

    With ``collectors``, names of the collectors that exist, each target's collector must be among them.
    """
    try:
        content = read_file(path)
    except OSError as error:
        hint = "make one with: ztgrade init" if isinstance(error, FileNotFoundError) else ""
        raise ConfigurationError([Problem(str(path), None, "", _reason(error), hint)]) from None
    return _Reading(str(path), path, content, lambda text: read_file(path.parent / text), collectors).estate()


def parse_estate(files: Mapping[str, bytes], main: str = MAIN) -> Estate:
    """Rebuild an estate from its sealed files, with no file system; raises ConfigurationError as ``load_estate``."""

    def fetch(text: str) -> bytes:
        if sealed_name(text) not in files:
            raise FileNotFoundError(2, "missing among the sealed files")
        return files[sealed_name(text)]

    if main not in files:
        raise ConfigurationError([Problem(main, None, "", "missing among the sealed files")])
    return _Reading(main, Path(main), files[main], fetch, None).estate()


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


class _Reading:
    """One pass over an estate file; gathers every problem and every file."""

    def __init__(self, file: str, path: Path, content: bytes, fetch: Fetch, collectors: frozenset[str] | None) -> None:
        self.problems: list[Problem] = []
        self.files: dict[str, bytes] = {MAIN: content}
        self._path = path
        self._fetch = fetch
        self._collectors = collectors
        self._facts = frozenset(fact.__name__ for fact in FACTS)
        self._kinds = {fact.__name__: fact.kind for fact in FACTS if fact.population}
        self._top = TomlSource(file, content).table(self.problems)

    def estate(self) -> Estate:
        top = self._top
        if top.expect_int("schema_version") != 1 and "schema_version" in top:
            top.problem("schema_version", "this version of ztgrade reads schema_version 1")
        institution = top.expect_table("institution")
        institution_id = institution.expect_name("id") if "institution" in top else ""
        institution_name = institution.expect_text("name") if "institution" in top else Text(zh_tw="", en="")
        credentials = {
            name: self._credential(name, table)
            for name, table in top.named_tables("credentials", required=False).items()
        }
        targets = self._targets(frozenset(credentials))
        sources = frozenset(target.source for target in targets.values())
        populations = self._source_lists("populations", sources, "defined_by")
        precedence = self._source_lists("precedence", sources, None)
        systems = {name: self._system(name, table, sources) for name, table in top.named_tables("systems").items()}
        approvers = self._approvers()
        registers = top.expect_table("registers", required=False).expect_str("directory", "registers")
        top.expect_table("store", required=False)
        caps = self._caps(top.expect_table("collect", required=False))
        selection = top.expect_table("selection", required=False)
        candidates = None
        if "selection" in top:
            candidates = read_candidates(selection, self._pull, self._path.parent, self.problems)
        costs = read_costs(top)
        for key, empty in (("targets", not targets), ("systems", not systems)):
            if key in top and empty:
                top.problem(key, "expected at least one")
        top.close()
        raise_problems(self.problems)
        return Estate(
            path=self._path,
            digest=files_digest(self.files),
            files=self.files,
            institution_id=institution_id,
            institution_name=institution_name,
            targets=targets,
            credentials=credentials,
            populations=populations,
            precedence=precedence,
            systems=systems,
            approvers=approvers,
            registers=self._path.parent / registers,
            caps=caps,
            candidates=candidates,
            costs=costs,
        )

    def _pull(self, table: Table, key: str, text: str) -> bytes | None:
        """Bytes of a file that the estate names; kept to be sealed."""
        name = sealed_name(text)
        try:
            if "\0" in text or not name:
                raise OSError("not a path")
            if name == MAIN:
                raise OSError("the estate file cannot be pulled in by itself")
            content = self._fetch(text)
        except OSError as error:
            table.problem(key, f"{text!r}: {_reason(error)}")
            return None
        if self.files.setdefault(name, content) != content:
            table.problem(key, f"{text!r}: two different files would be sealed as {name!r}")
        return content

    def _credential(self, name: str, table: Table) -> Credential:
        reference = table.expect_str("secret")
        fault = reference_fault(reference) if reference else None
        if fault:
            table.problem("secret", fault)
        return Credential(name, table.optional_str("user"), reference)

    def _targets(self, credentials: frozenset[str]) -> dict[str, Target]:
        targets: dict[str, Target] = {}
        for name, table in self._top.named_tables("targets").items():
            inventory = table.optional_str("inventory")
            pattern = self._target(name, table, credentials, inventoried=inventory is not None)
            if inventory is None:
                targets[name] = pattern
                continue
            content = self._pull(table, "inventory", inventory)
            shown = str(self._path.parent / inventory)
            for target in self._inventory(shown, content, pattern, credentials) if content is not None else ():
                targets[target.name] = target
        return targets

    def _target(self, name: str, table: Table, credentials: frozenset[str], inventoried: bool) -> Target:
        collector = (
            table.expect_str("collector")
            if self._collectors is None
            else table.expect_word("collector", self._collectors, what="collector")
        )
        credential = (
            table.expect_word("credential", credentials, what="credential") or None if "credential" in table else None
        )
        captures = table.optional_str("captures")
        promises = (
            table.expect_list("promises", known=self._facts | FIELDS, what="fact")
            if "promises" in table or collector == "import"
            else None
        )
        address = table.expect_str("address", "", empty=True)
        if inventoried and address:
            table.problem("address", "the inventory gives the addresses", "remove one of them")
        if collector == "import" and captures is None:
            table.problem((), "'captures' is missing", "the directory that holds the supplied files")
        return Target(
            name=name,
            collector=collector,
            source=table.expect_name("source", name),
            address=address,
            credential=credential,
            site=table.expect_str("site", "default"),
            captures=None if captures is None else self._path.parent / captures,
            promises=promises,
            timeout_seconds=table.expect_int("timeout_seconds", 300, minimum=1, maximum=86_400),
            options=self._options(table.expect_table("options", required=False)),
        )

    def _options(self, table: Table) -> dict[str, Any]:
        options: dict[str, Any] = {}
        for name in table.words():
            if name in SECRET_OPTIONS:
                table.problem(name, "a secret stands in [credentials.NAME], by reference", "remove it here")
            elif name in KEY_OPTIONS:
                text = table.expect_str(name)
                content = self._pull(table, name, text) if text else None
                if content is not None and self._key_identity(table, name, content):
                    options[name] = content[content.index(b"-----BEGIN") :].decode("utf-8", "replace")
            elif name in AUTHORITY_OPTIONS:
                options[name] = self._authorities(table, name)
            else:
                options[name] = table.data[name]
        return options

    def _authorities(self, table: Table, key: str) -> str:
        """PEM of the certificates, from a file or given as text; empty, and a problem told, where there are none."""
        text = table.expect_str(key)
        inline = "-----BEGIN" in text
        content = text.encode() if inline else self._pull(table, key, text) if text else None
        try:
            return "" if content is None else authorities(content)
        except ValueError as error:
            hint = "expected the certificates of the server's authorities, in PEM"
            table.problem(key, str(error) if inline else f"{text!r}: {error}", hint)
            return ""

    def _inventory(self, file: str, content: bytes, pattern: Target, credentials: frozenset[str]) -> Iterator[Target]:
        names: dict[str, int] = {}
        for line, row in read_rows(file, content, ("name", "address"), ("credential", "site"), self.problems):
            name, credential = row["name"], row.get("credential") or pattern.credential
            if not is_name(name):
                self.problems.append(Problem(file, line, "name", f"{name!r} is not a name"))
            elif name in names:
                self.problems.append(Problem(file, line, "name", f"{name!r} stands on line {names[name]} already"))
            if not row["address"]:
                self.problems.append(Problem(file, line, "address", "is empty"))
            if credential is not None and credential not in credentials:
                fault = f"there is no credential {credential!r}{nearest(credential, credentials)}"
                self.problems.append(Problem(file, line, "credential", fault))
            names.setdefault(name, line)
            yield Target(
                name=f"{pattern.name}/{name}",
                collector=pattern.collector,
                source=pattern.source,
                address=row["address"],
                credential=credential,
                site=row.get("site") or pattern.site,
                captures=pattern.captures,
                promises=pattern.promises,
                timeout_seconds=pattern.timeout_seconds,
                options=pattern.options,
            )

    def _source_lists(self, key: str, sources: frozenset[str], inner: str | None) -> dict[str, tuple[str, ...]]:
        """``[populations.FACT] defined_by`` or, without an inner key, ``[precedence] FACT``."""
        table = self._top.expect_table(key, required=False)
        known = frozenset(self._kinds) if inner else self._facts
        lists: dict[str, tuple[str, ...]] = {}
        for name in table.words():
            if name not in known:
                table.problem(name, f"there is no {'population' if inner else 'fact'} {name!r}{nearest(name, known)}")
            holder = table.expect_table(name) if inner else table
            lists[name] = holder.expect_list(inner or name, known=sources, what="source")
        return lists

    def _system(self, name: str, table: Table, sources: frozenset[str]) -> System:
        scenes = table.expect_enums("scenes", Scene)
        overrides: dict[Scene, Mapping[str, tuple[Selector, ...]]] = {}
        holder = table.expect_table("scenes_override", required=False)
        for word in holder.words():
            if word not in scenes:
                holder.problem(word, f"is not a scene of this system{nearest(word, scenes)}")
            selectors = self._members(holder.expect_table(word).expect_table("members"), sources)
            if word in scenes:
                overrides[Scene(word)] = selectors
        target = table.expect_word("target", [level for level in Level if level is not Level.NONE], what="level")
        return System(
            name=name,
            title=table.expect_text("title"),
            scenes=scenes,
            service_model=table.expect_enum("service_model", ServiceModel),
            target=Level(target or Level.NONE),
            selectors=self._members(table.expect_table("members", required=False), sources),
            overrides=overrides,
        )

    def _members(self, table: Table, sources: frozenset[str]) -> dict[str, tuple[Selector, ...]]:
        members: dict[str, tuple[Selector, ...]] = {}
        for population in table.words():
            if population not in self._kinds:
                table.problem(population, f"there is no population {population!r}{nearest(population, self._kinds)}")
            members[population] = tuple(
                self._selector(each, population, sources) for each in table.expect_tables(population)
            )
        return members

    def _selector(self, table: Table, population: str, sources: frozenset[str]) -> Selector:
        kind = self._kinds.get(population, "")

        def of_kind(wanted: str) -> Callable[[str], str | None]:
            return lambda key: key_fault(key, wanted)

        def criterion(key: str, valid: Callable[[str], str | None] | None = None) -> tuple[str, ...]:
            return table.expect_list(key, valid=valid) if key in table else table.expect_list(key, ())

        selector = Selector(
            sources=table.expect_list("sources", () if "sources" not in table else None, known=sources, what="source"),
            groups=criterion("groups"),
            organizational_units=criterion(
                "organizational_units", lambda unit: None if "=" in unit else "expected a name like OU=Staff,DC=corp"
            ),
            accounts=criterion("accounts", of_kind("account")),
            directories=criterion("directories", of_kind("directory")),
            tags=criterion("tags", lambda tag: None if "=" in tag[1:] else "expected name=value"),
            networks=criterion("networks", _network_fault),
            hosts=criterion("hosts"),
            listed=tuple(dict.fromkeys((*criterion("listed", of_kind(kind)), *self._listed(table, kind)))),
            everything=table.expect_bool("all", False),
        )
        given = [key for key in table.data if key not in ("sources", "all")]
        if selector.everything and given:
            table.problem("all", "stands alone: it already takes every asset of its sources", "remove one of them")
        elif not selector.everything and not given:
            table.problem((), "selects nothing: give at least one criterion", "all = true takes every asset")
        return selector

    def _listed(self, table: Table, kind: str) -> tuple[str, ...]:
        text = table.optional_str("listed_file")
        content = self._pull(table, "listed_file", text) if text else None
        if text is None or content is None:
            return ()
        file = str(self._path.parent / text)
        lines: dict[str, int] = {}
        for line, row in read_rows(file, content, ("asset",), ("note",), self.problems):
            fault = key_fault(row["asset"], kind)
            if row["asset"] in lines:
                fault = f"stands on line {lines[row['asset']]} already"
            if fault:
                self.problems.append(Problem(file, line, "asset", fault))
            lines.setdefault(row["asset"], line)
        return tuple(lines)

    def _approvers(self) -> dict[str, Approver]:
        approvers: dict[str, Approver] = {}
        holders: dict[str, str] = {}
        for name, table in self._top.named_tables("approvers", required=False).items():
            person, key, content = table.expect_str("name"), "public_key", b""
            if "ssh_key" in table:
                key, line = "ssh_key", table.expect_str("ssh_key")
                if "public_key" in table:
                    table.problem("public_key", "stands beside ssh_key", "one approver, one key: remove one of them")
                table.optional_str("public_key")
                identity = self._ssh_identity(table, line)
            else:
                file, line = table.expect_str(key), ""
                pulled = self._pull(table, key, file) if file else None
                identity = None if pulled is None else self._key_identity(table, key, pulled)
                content = pulled or b""
            if identity and holders.setdefault(identity, name) != name:
                table.problem(key, f"is the key of {holders[identity]!r} already", "one key, one approver")
            approvers[name] = Approver(name, person, content, line)
        return approvers

    def _ssh_identity(self, table: Table, line: str) -> str | None:
        try:
            return read_key(line).identity if line else None
        except SshFault as error:
            table.problem("ssh_key", str(error), "the line of the .pub file that ssh-keygen wrote")
            return None

    def _key_identity(self, table: Table, key: str, content: bytes) -> str | None:
        if b"PRIVATE KEY" in content:
            table.problem(key, "a private key where a public key belongs", "take it away and give the public half")
            return None
        if content.count(b"-----BEGIN") > 1:
            table.problem(key, "holds more than one key", "one key, one approver")
            return None
        try:
            found = load_pem_public_key(content)
            if isinstance(found, Ed25519PublicKey):
                return key_identity(found)
        except (ValueError, UnsupportedAlgorithm):
            pass
        table.problem(key, "holds no Ed25519 public key in PEM")
        return None

    def _caps(self, table: Table) -> Caps:
        usual = Caps()
        return Caps(
            parallel=table.expect_int("parallel", usual.parallel, minimum=1, maximum=256),
            per_credential=table.expect_int("per_credential", usual.per_credential, minimum=1, maximum=256),
            per_site=table.expect_int("per_site", usual.per_site, minimum=1, maximum=256),
        )


def _network_fault(text: str) -> str | None:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        return f"{text!r} is not a network in CIDR notation: {error}"
    return None
