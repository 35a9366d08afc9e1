"""The verdict on one device: what the rules say of the posture that its agent told, and until when that may be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Literal

import msgspec

from scanner.fleet.agents import Status
from scanner.fleet.answers import rfc3339
from scanner.fleet.messages import root_of
from scanner.fleet.reading import MISSED, AgentSeen, SectionSeen
from scanner.fleet.signal_rules import LANGUAGES, Rules, read


class Device(msgspec.Struct, frozen=True):
    """By what policy engines may know the device; the host's own word, never proof of identity."""

    hostname: str
    machine_id: str
    serial: str


class Reason(msgspec.Struct, frozen=True):
    """Why a verdict is not ``compliant``: a rule, or a word for what stands in the way of all rules."""

    rule: str
    section: str
    """Empty where it is not one section."""
    outcome: Literal["fail", "unknown"]
    says: dict[str, str]
    """In zh-TW and in English."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed: the claims of a JSON Web Token (RFC 7519)."""

    iss: str
    """The fleet's URL."""
    sub: str
    """The agent's name: spiffe://DOMAIN/agent/ID."""
    iat: int
    """As ``as_of``, in seconds since 1970."""
    exp: int
    """As ``expires``, in seconds since 1970."""
    agent: str
    device: Device
    verdict: Literal["compliant", "not_compliant", "unknown"]
    reasons: list[Reason]
    as_of: str
    """When it was judged, by the server's clock, RFC 3339."""
    confirmed: str
    """When the agent last said that its posture is the one that was judged; empty where it never did."""
    expires: str
    """From then on the verdict is ``unknown`` to whoever holds it, RFC 3339."""
    posture_root: str
    """Digest of the posture that was judged, as the agent signed it."""
    rules: str
    """SHA-256 of the file of rules, in hex."""


@dataclass(frozen=True)
class Standing:
    """What does not change from device to device."""

    issuer: str
    domain: str
    interval_s: int
    life_s: int
    rules: Rules
    words: Mapping[str, Mapping[str, str]]


def load_words() -> Mapping[str, Mapping[str, str]]:
    """The sentences around what rules say, by word and language."""
    content = files("scanner.fleet").joinpath("signal_words.toml").read_bytes()
    return msgspec.toml.decode(content, type=dict[str, dict[str, str]])


def barred(agent: AgentSeen, now: int, interval_s: int) -> list[str]:
    """Words for what makes an agent's posture unknown as a whole, or refused; ``now`` in ms since 1970."""
    if agent.status != Status.ACTIVE:
        return [agent.status]
    marks = {
        "clone_suspected": agent.clone_suspected is not None,
        "identity_collision": agent.identity_collision is not None,
        "downgraded": agent.downgraded is not None,
        "silent": agent.silent_since(now, interval_s) is not None,
        "never_told": agent.confirmed == 0,
        "stale": agent.confirmed > 0 and now - agent.confirmed > MISSED * interval_s * 1000,
    }
    found = [word for word, marked in marks.items() if marked]
    return found if found or agent.trusted else ["untrusted"]


def judge(agent: AgentSeen, sections: Sequence[SectionSeen], standing: Standing, now: int) -> Verdict:
    """The verdict on an agent's device, of its present sections, at a time in ms since 1970."""
    expires = now + standing.life_s * 1000
    bars = barred(agent, now, standing.interval_s)
    reasons = [Reason(word, "", _outcome(word), dict(standing.words[word])) for word in bars]
    if not reasons and root_of({section.name: section.digest for section in sections}) != agent.root:
        reasons = [Reason("inconsistent", "", "unknown", dict(standing.words["inconsistent"]))]
    if not reasons:
        reasons, ends = _by_rules(sections, standing, now)
        expires = min([expires, agent.confirmed + MISSED * standing.interval_s * 1000, *ends])
    outcomes = {reason.outcome for reason in reasons}
    seconds = expires // 1000
    return Verdict(
        iss=standing.issuer,
        sub=f"spiffe://{standing.domain}/agent/{agent.id}",
        iat=now // 1000,
        exp=seconds,
        agent=agent.id,
        device=Device(*(str(agent.host.get(name, "")) for name in Device.__struct_fields__)),
        verdict="not_compliant" if "fail" in outcomes else "unknown" if outcomes else "compliant",
        reasons=reasons,
        as_of=rfc3339(now),
        confirmed=rfc3339(agent.confirmed) if agent.confirmed else "",
        expires=rfc3339(seconds * 1000),
        posture_root=agent.root,
        rules=standing.rules.digest,
    )


def _outcome(word: str) -> Literal["fail", "unknown"]:
    """A ban is an operator's no; all else is only not known."""
    return "fail" if word == Status.BANNED else "unknown"


def _by_rules(sections: Sequence[SectionSeen], standing: Standing, now: int) -> tuple[list[Reason], list[int]]:
    """Reasons why not, and when time alone will change something."""
    posture = {section.name: section.content for section in sections}
    moment = datetime.fromtimestamp(now / 1000, UTC)
    reasons, ends, applied = [], [], 0
    for name, rule in standing.rules.rules.items():
        first = read(rule.when, posture, moment) if rule.when else None
        if first is not None:
            ends += [first.until] if first.until is not None else []
            if first.holds is False:
                continue
        applied += 1
        found = read(rule, posture, moment) if first is None or first.holds else first
        if found.until is not None:
            ends.append(found.until)
        if found.holds:
            continue
        word = "fail" if found.holds is False else found.why
        says = {language: standing.words[word][language].format(says=rule.says[language]) for language in LANGUAGES}
        reasons.append(Reason(name, rule.place[0], "fail" if found.holds is False else "unknown", says))
    if not applied:
        reasons.append(Reason("no_rule", "", "unknown", dict(standing.words["no_rule"])))
    return reasons, [end for end in ends if end > now]
