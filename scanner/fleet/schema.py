"""The tables of the fleet; one text for SQLite and PostgreSQL. Times are ms since 1970, digests are raw bytes."""

from __future__ import annotations

from collections.abc import Mapping

VERSION = 2
READABLE = (1, 2)
"""Versions in which agents and sections stand in the same columns, so that those who only read can read them."""

TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value {blob} NOT NULL);

CREATE TABLE IF NOT EXISTS token (
    number {serial}, handle TEXT NOT NULL UNIQUE, digest {blob} NOT NULL, made {int} NOT NULL, expires {int} NOT NULL,
    uses {int} NOT NULL, used {int} NOT NULL, networks TEXT NOT NULL, names TEXT NOT NULL, approval {int} NOT NULL,
    revoked {int} NOT NULL, note TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS agent (
    number {serial}, id TEXT NOT NULL UNIQUE, status TEXT NOT NULL, key_id TEXT NOT NULL, token {int} NOT NULL,
    enrolled {int} NOT NULL, host TEXT NOT NULL, address TEXT NOT NULL, issuer TEXT NOT NULL,
    not_before {int} NOT NULL, not_after {int} NOT NULL, rekey {int} NOT NULL,
    clone_suspected {int}, identity_collision {int}, reason TEXT NOT NULL,
    highest_version TEXT NOT NULL DEFAULT '', version_exempt {int} NOT NULL DEFAULT 0, downgraded {int}
);

CREATE TABLE IF NOT EXISTS agent_key (
    key_id TEXT PRIMARY KEY, agent {int} NOT NULL, spki {blob} NOT NULL, state TEXT NOT NULL, since {int} NOT NULL,
    certificate TEXT NOT NULL, chain TEXT NOT NULL, renewal {blob}, successor TEXT
);

CREATE TABLE IF NOT EXISTS agent_state (
    agent {int} PRIMARY KEY, seq {int} NOT NULL, epoch {int} NOT NULL, root TEXT NOT NULL, boot_id TEXT NOT NULL,
    boots TEXT NOT NULL, marks {blob} NOT NULL, ts {int} NOT NULL, resume {int} NOT NULL,
    last_seen {int} NOT NULL, confirmed {int} NOT NULL, skew {int} NOT NULL, version TEXT NOT NULL
){narrow};

CREATE TABLE IF NOT EXISTS section (hash {blob} PRIMARY KEY, zbody {blob} NOT NULL){rowless};

CREATE TABLE IF NOT EXISTS agent_section (
    agent {int} NOT NULL, name TEXT NOT NULL, hash {blob} NOT NULL, observed_at TEXT NOT NULL,
    since {int} NOT NULL, until {int}
);
CREATE UNIQUE INDEX IF NOT EXISTS agent_section_now ON agent_section (agent, name) WHERE until IS NULL;
CREATE INDEX IF NOT EXISTS agent_section_past ON agent_section (agent, since);
CREATE INDEX IF NOT EXISTS agent_section_ended ON agent_section (until) WHERE until IS NOT NULL;
CREATE INDEX IF NOT EXISTS agent_section_body ON agent_section (hash);

CREATE TABLE IF NOT EXISTS offered (
    agent {int} NOT NULL, name TEXT NOT NULL, hash {blob} NOT NULL, observed_at TEXT NOT NULL,
    PRIMARY KEY (agent, name)
);
CREATE INDEX IF NOT EXISTS offered_body ON offered (hash);

CREATE TABLE IF NOT EXISTS envelope (
    agent {int} NOT NULL, epoch {int} NOT NULL, seq {int} NOT NULL, root TEXT NOT NULL, payload {blob} NOT NULL,
    signature {blob} NOT NULL, key_id TEXT NOT NULL, received {int} NOT NULL, PRIMARY KEY (agent, epoch, seq)
){rowless};
CREATE INDEX IF NOT EXISTS envelope_age ON envelope (received);

CREATE TABLE IF NOT EXISTS hardware (
    kind TEXT NOT NULL, value TEXT NOT NULL, agent {int} NOT NULL, PRIMARY KEY (kind, value, agent)
);

CREATE TABLE IF NOT EXISTS caller (
    handle TEXT PRIMARY KEY, digest {blob} NOT NULL, name TEXT NOT NULL, made {int} NOT NULL, expires {int} NOT NULL,
    networks TEXT NOT NULL, revoked {int} NOT NULL, certificate TEXT NOT NULL DEFAULT ''
);

CREATE TABLE IF NOT EXISTS journal (
    chain TEXT NOT NULL, number {int} NOT NULL, made {int} NOT NULL, entry TEXT NOT NULL, hash {blob} NOT NULL,
    PRIMARY KEY (chain, number)
);
"""


CHANGES: Mapping[int, str] = {
    2: """
CREATE INDEX agent_section_ended ON agent_section (until) WHERE until IS NOT NULL;
CREATE INDEX agent_section_body ON agent_section (hash);
CREATE INDEX offered_body ON offered (hash);
CREATE INDEX envelope_age ON envelope (received);
ALTER TABLE caller ADD COLUMN certificate TEXT NOT NULL DEFAULT '';
""",
}
"""What each version changed in the tables of the one before; done to the end of a step, they are those of TABLES."""


def statements(text: str, words: Mapping[str, str]) -> list[str]:
    """The single statements of a text, in the words of one database."""
    return [each.strip() for each in text.format(**words).split(";") if each.strip()]
