"""The data of the benchmark of a million users: Parquet files of two sources, as the store lays them out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from scanner.institution.estate import Estate, Selector, System
from scanner.institution.nouns import Caps
from scanner.judging.evidence import ReadTarget, connect, quoted
from scanner.model import Census, Level, Scene, ServiceModel, Text

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
SOURCES = ("ad", "entra")
PROMISES = {
    "ad": ("User", "SignIn", "Authenticators", "Credentials", "Placement"),
    "entra": ("User", "SignIn", "Authenticators", "Credentials"),
}
SCENES = (Scene.REMOTE_WORK, Scene.CLOUD_ACCESS, Scene.SYSTEM_OPERATIONS)
SYSTEMS = 12

ASSET = "printf('user:corp:S-1-5-21-1004336348-1177238915-682003330-%d', 1100 + i)"
FRESH, OLD = "TIMESTAMP '2026-10-31 01:00:00'", "TIMESTAMP '2026-09-20 01:00:00'"


def _chance(salt: str, of: int = 100) -> str:
    """SQL of a number below ``of`` that is the same in every source and on every machine."""
    return f"CAST(hash(i || {quoted(salt)}) % {of} AS INTEGER)"


def _word(salt: str, *words: str) -> str:
    listed = ", ".join("NULL" if word == "?" else quoted(word) for word in words)
    return f"([{listed}])[1 + {_chance(salt, len(words))}]"


def _yes(salt: str, percent: int) -> str:
    return f"({_chance(salt)} < {percent})"


METHOD = (
    "{{'method': ([{kinds}])[1 + CAST(hash(i, j) % 6 AS INTEGER)], "
    "'usable': CASE CAST(hash(j, i, 'u') % 40 AS INTEGER) WHEN 0 THEN NULL WHEN 1 THEN false ELSE true END}}"
).format(kinds="'password', 'sms', 'push', 'fido2_bound', 'fido2_synced', 'smart_card'")

COLUMNS: Mapping[str, str] = {
    "User": f"{_yes('enabled', 96)} AS enabled, "
    f"{_word('category', *['person'] * 17, 'service', 'shared', 'break_glass')} AS category, "
    f"{_yes('external', 6)} AS external",
    "SignIn": f"{_word('mfa', *['enforced'] * 17, 'report_only', 'not_required', '?')} AS mfa, "
    f"{_yes('excluded', 3)} <> (source = 'entra' AND {_yes('differs', 1)}) AS excluded, "
    f"'CA-' || {_chance('policy', 40)} AS policy, "
    f"{_word('legacy', *['blocked'] * 9, 'allowed')} AS legacy_protocols, "
    f"{_word('remembered', 'never', 'limited', 'limited', 'unlimited')} AS remembered, "
    f"CAST({_chance('hours', 48)} AS BIGINT) AS remembered_hours, "
    f"[['device_health', 'location', 'risk'], ['location', 'risk'], ['location'], CAST([] AS VARCHAR[])]"
    f"[1 + {_chance('conditions', 4)}] AS conditions, "
    f"{_yes('bypass', 5)} AS trusted_network_bypass, "
    f"{_word('revocation', 'continuous', 'continuous', 'timed', 'at_expiry')} AS revocation, "
    f"CAST({_chance('minutes', 90)} AS BIGINT) AS revocation_minutes",
    "Authenticators": f"list_transform(range({_chance('methods', 4)}), lambda j: {METHOD}) AS methods",
    "Credentials": f"{_word('password', *['expires'] * 6, 'none', 'never_expires')} AS password, "
    f"CAST(greatest({_chance('keys', 12)} - 9, 0) AS BIGINT) AS access_keys, "
    f"{_yes('keymfa', 70)} AS access_keys_need_mfa, "
    f"TIMESTAMP '2026-10-30 00:00:00' - to_days({_chance('age', 400)}) AS oldest_access_key",
    "Placement": f"'directory:corp:S-1-5-21-1004336348-1177238915-682003330' AS directory, "
    f"['app-' || CASE WHEN {_yes('moved', 20)} THEN {_chance('app', 24)} ELSE {_chance('department', 24)} END, "
    f"'role-' || {_chance('role', 12)}] AS groups, "
    f"'OU=team-' || {_chance('team', 3)} || ',OU=dept-' || {_chance('department', 24)} || ',DC=corp,DC=example' "
    f"AS organizational_unit, 'none' AS account, ['site=' || {_chance('department', 24)} % 6] AS tags, "
    f"CAST([] AS VARCHAR[]) AS addresses, 'none' AS host_name",
}


def write(folder: Path, users: int) -> None:
    """Write every file of both sources: all users in the first, three of five of them in the second, some rows old."""
    with duckdb.connect() as connection:
        connection.execute("SET memory_limit = '1GB'")
        connection.execute("SET temp_directory = " + quoted(str(folder / "spill")))
        for source, facts in PROMISES.items():
            (folder / source / "facts").mkdir(parents=True, exist_ok=True)
            spoken = "true" if source == "ad" else "i % 5 < 3"
            for fact in facts:
                old = f"hash(i, {quoted(source + fact)}) % 50 = 0"
                connection.execute(
                    f"COPY (SELECT {ASSET} AS asset, CASE WHEN {old} THEN {OLD} ELSE {FRESH} END AS observed_at, "
                    f"{COLUMNS[fact]} FROM (SELECT range AS i, {quoted(source)} AS source FROM range({users})) "
                    f"WHERE {spoken} ORDER BY asset) "
                    f"TO {quoted(str(folder / source / 'facts' / f'{fact}.parquet'))} "
                    "(FORMAT parquet, COMPRESSION zstd)"
                )


def targets(folder: Path) -> list[ReadTarget]:
    """Both sources as an assessment reads them, with a matching census for every fact."""
    found = []
    with connect() as connection:
        for source, facts in PROMISES.items():
            censuses = []
            for fact in facts:
                path = quoted(str(folder / source / "facts" / f"{fact}.parquet"))
                row = connection.execute(
                    f"SELECT count(*), sha256(string_agg(asset, chr(10) ORDER BY asset)) FROM read_parquet({path})"
                ).fetchone()
                assert row is not None
                censuses.append(
                    Census(
                        fact=fact,
                        query="every user",
                        as_of=AS_OF - timedelta(days=1),
                        complete=True,
                        n=int(row[0]),
                        digest=str(row[1]),
                    )
                )
            found.append(
                ReadTarget(
                    target=source,
                    source=source,
                    collector="import",
                    promises=frozenset(facts),
                    folder=folder / source,
                    complete=True,
                    censuses=censuses,
                )
            )
    return found


def selectors(system: int, scene: Scene) -> Selector:
    """Whom a system holds in a scene: by groups, by units, or by tags and a role."""
    match SCENES.index(scene):
        case 0:
            return Selector(sources=("ad",), groups=(f"app-{2 * system}", f"app-{2 * system + 1}"))
        case 1:
            return Selector(sources=("ad",), organizational_units=(f"OU=dept-{system},DC=corp,DC=example",))
        case _:
            return Selector(sources=("ad",), tags=(f"site={system % 6}",), groups=(f"role-{system}",))


def estate() -> Estate:
    """Twelve systems in three scenes each: thirty-six scopes."""
    systems = {}
    for number in range(SYSTEMS):
        name = f"system-{number:02}"
        first, *rest = SCENES
        systems[name] = System(
            name,
            Text(zh_tw=name, en=name),
            SCENES,
            ServiceModel.ON_PREMISES,
            Level.II,
            {"User": (selectors(number, first),)},
            {scene: {"User": (selectors(number, scene),)} for scene in rest},
        )
    return Estate(
        path=Path("estate.toml"),
        digest="0" * 64,
        files={},
        institution_id="benchmark",
        institution_name=Text(zh_tw="benchmark", en="benchmark"),
        targets={},
        credentials={},
        populations={"User": SOURCES},
        precedence={},
        systems=systems,
        approvers={},
        registers=Path("registers"),
        caps=Caps(),
    )
