"""Settings of the domain and its forest, and the accounts of computers; passwords of LAPS are never asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from collectors.ad import AdCollector, attributes, decode
from collectors.ports.directory import Entry
from scanner.facts import DirectoryDefence, MachineAccount, OperatingSystem, Privilege
from scanner.model import Capture, Gap
from tests.collectors.ad import forest
from tests.collectors.ad.forest import RecordedPort
from tests.collectors.ad.reading import gaps_of, hiding, reading

DIRECTORY = f"directory:ad:{forest.DOMAIN_SID}"


def computer(**values: Any) -> Entry:
    """One computer that is enabled."""
    pc = forest.user("PC$", 1104, **({"userAccountControl": "4096"} | values))
    return replace(pc, values={**pc.values, "objectclass": (b"top", b"user", b"computer")})


def machine(port: RecordedPort, **values: Any) -> MachineAccount:
    port.objects.append(computer(**values))
    (found,) = [row for row in reading(port) if isinstance(row, MachineAccount)]
    return found


def defence(port: RecordedPort) -> tuple[DirectoryDefence, set[str | None]]:
    """The fact, and its fields that are gaps."""
    records = reading(port)
    (found,) = [row for row in records if isinstance(row, DirectoryDefence)]
    return found, {field for fact, field in gaps_of(records, DIRECTORY) if fact == "DirectoryDefence"}


def lacking(port: RecordedPort, *names: str) -> RecordedPort:
    """The same domain with an older schema."""
    port.definitions = [one for one in port.definitions if not any(name in one.dn for name in names)]
    return port


def test_the_domain_says_how_it_defends_itself() -> None:
    port = forest.small()
    port.objects.append(forest.user("krbtgt", 502, pwdLastSet="132000000000000000"))
    port.forest += [forest.silo("tier0"), forest.silo("trial", enforced="FALSE")]

    assert defence(port) == (
        DirectoryDefence(
            asset=DIRECTORY,
            observed_at=reading_time(port),
            functional_level=7,
            forest_level=7,
            machine_quota=10,
            smart_card_secrets_renewed=True,
            ticket_key_changed_at=decode.filetime(b"132000000000000000"),
            silos_enforced=1,
            local_passwords="current",
        ),
        set(),
    )


def reading_time(port: RecordedPort) -> datetime:
    return next(row.observed_at for row in reading(port) if isinstance(row, DirectoryDefence))


def test_what_is_not_shown_is_a_gap_field_by_field() -> None:
    port = forest.small(settings=[], forest=[])

    found, gaps = defence(port)

    assert found == DirectoryDefence(asset=DIRECTORY, observed_at=found.observed_at, local_passwords="current")
    assert gaps == {
        "functional_level",
        "forest_level",
        "machine_quota",
        "smart_card_secrets_renewed",
        "ticket_key_changed_at",
        "silos_enforced",
    }


UNNEEDED = ("objectClass", "member", "memberOf")
"""What is known from elsewhere too: a membership from its other end; without its class nothing is found at all."""


def everything() -> RecordedPort:
    """A domain in which every setting says something: fine-grained rules, a silo, a policy, another domain."""
    dn = f"CN=strict,CN=Password Settings Container,CN=System,{forest.BASE}"
    silo = f"CN=tier0,{forest.SILOS}{forest.CONFIGURATION}"
    policy = f"CN=tight,{forest.POLICIES}{forest.CONFIGURATION}"
    port = forest.small()
    port.settings.append(forest.password_settings("strict"))
    port.forest += [
        forest.silo("tier0", f"CN=one,OU=People,{forest.BASE}"),
        forest.configured("tight", "msDS-AuthNPolicy", place=forest.POLICIES, msDS_AuthNPolicyEnforced="TRUE"),
        replace(
            forest.partition("CHILD", f"DC=other,{forest.BASE}"), dn=f"CN=CHILD,CN=Partitions,{forest.CONFIGURATION}"
        ),
    ]
    port.forest[-1] = replace(port.forest[-1], values={**port.forest[-1].values, "dnsroot": (b"child.corp.test",)})
    port.objects += [
        forest.user("one", 1110, msDS_AssignedAuthNPolicySilo=silo, msDS_ResultantPSO=dn),
        forest.user("two", 1111, msDS_AssignedAuthNPolicy=policy, userAccountControl=str(512 | 0x40000)),
    ]
    return port


@pytest.mark.parametrize(
    "attribute", [name for name in (*forest.GROUPS, *attributes.CONFIGURATION) if name not in UNNEEDED]
)
def test_every_setting_that_is_asked_for_is_needed(attribute: str) -> None:
    def told(port: RecordedPort) -> list[object]:
        return [row for row in reading(port, entrance=True) if not isinstance(row, Capture)]

    def without(entries: list[Entry]) -> list[Entry]:
        name, sd = attribute.lower(), {"ntsecuritydescriptor": (hiding(attribute),)}
        return [
            replace(one, values={k: v for k, v in {**one.values, **sd}.items() if k != name})
            if name in one.values
            else one
            for one in entries
        ]

    hidden = everything()
    hidden.groups, hidden.settings, hidden.forest = map(without, (hidden.groups, hidden.settings, hidden.forest))

    assert told(hidden) != told(everything())


@pytest.mark.parametrize("place", [0, 2])
def test_partitions_and_silos_that_may_not_be_seen_are_not_nothing(place: int) -> None:
    port = forest.small()
    port.forest[place] = replace(
        port.forest[place],
        values={k: v for k, v in port.forest[place].values.items() if k != "msds-behavior-version"}
        | {"ntsecuritydescriptor": (forest.descriptor(),)},
    )

    found, gaps = defence(port)

    name = ("forest_level", "", "silos_enforced")[place]
    assert getattr(found, name) is None
    assert name in gaps


@pytest.mark.parametrize(
    ("missing", "room"),
    [
        ((), "current"),
        (("msLAPS-",), None),
        (("ms-Mcs-",), "current"),
        (("msLAPS-", "ms-Mcs-"), None),
    ],
)
def test_room_for_laps_is_told_only_where_its_definition_is_seen(missing: tuple[str, ...], room: str | None) -> None:
    assert defence(lacking(forest.small(), *missing))[0].local_passwords == room


def test_a_schema_that_is_not_shown_whole_has_no_known_lack() -> None:
    port = lacking(forest.small(), "msLAPS-", "ms-Mcs-")
    port.definitions[0] = replace(port.definitions[0], values={"objectclass": (b"top", b"dMD")})

    found, gaps = defence(port)

    assert found.local_passwords is None
    assert "local_passwords" in gaps


@pytest.mark.parametrize(
    ("values", "kept", "due"),
    [
        ({}, "none", None),
        ({"ms-Mcs-AdmPwdExpirationTime": "134000000000000000"}, "legacy", b"134000000000000000"),
        ({"msLAPS-PasswordExpirationTime": "134100000000000000"}, "current", b"134100000000000000"),
        ({"sd": hiding("ms-Mcs-AdmPwdExpirationTime")}, None, None),
        ({"sd": hiding("msLAPS-PasswordExpirationTime")}, None, None),
    ],
)
def test_laps_shows_by_when_a_password_ends(values: dict[str, object], kept: str | None, due: bytes | None) -> None:
    found = machine(forest.small(), **values)

    assert (found.local_password, found.local_password_due) == (kept, due and decode.filetime(due))


def test_where_the_schema_has_no_laps_no_computer_has() -> None:
    assert machine(lacking(forest.small(), "msLAPS-", "ms-Mcs-")).local_password == "none"
    hidden = lacking(forest.small(), "msLAPS-", "ms-Mcs-")
    hidden.definitions[0] = replace(hidden.definitions[0], values={"objectclass": (b"top", b"dMD")})
    assert machine(hidden).local_password is None


def test_passwords_are_never_asked_for() -> None:
    port = forest.small()
    port.objects.append(computer(**{"ms-Mcs-AdmPwd": "S3cret", "msLAPS-Password": "S3cret"}))

    records = reading(port, entrance=True)
    asked = {name.lower().split(";")[0] for wanted in port.asked for name in wanted}
    query = attributes.schema_query().lower()

    assert not asked & {name.lower() for name in AdCollector.never_ask}
    assert not [name for name in AdCollector.never_ask if f"={name.lower()})" in query]
    assert "S3cret" not in str(records)


@pytest.mark.parametrize(
    ("values", "delegation"),
    [
        ({}, "none"),
        ({"userAccountControl": str(4096 | 0x80000)}, "unconstrained"),
        ({"userAccountControl": str(4096 | 0x1000000)}, "protocol_transition"),
        ({"msDS-AllowedToDelegateTo": "cifs/srv1"}, "constrained"),
        ({"msDS-AllowedToActOnBehalfOfOtherIdentity": b"\x01\x00"}, "constrained"),
        ({"sd": hiding("msDS-AllowedToActOnBehalfOfOtherIdentity")}, None),
        ({"userAccountControl": None, "sd": hiding("userAccountControl")}, None),
    ],
)
def test_a_computer_says_in_whose_name_it_may_act(values: dict[str, object], delegation: str | None) -> None:
    assert machine(forest.small(), **values).delegation == delegation


def test_a_computer_says_whether_it_may_and_did_sign_in() -> None:
    fresh = machine(forest.small())
    used = machine(forest.small(), lastLogonTimestamp="134000000000000000", userAccountControl="4098")

    assert (fresh.enabled, fresh.ever_signed_in, fresh.idle_since is not None) == (True, False, True)
    assert (used.enabled, used.ever_signed_in) == (False, True)


@pytest.mark.parametrize(
    ("values", "known", "said"),
    [
        ({"operatingSystem": "Windows 11 Enterprise", "operatingSystemVersion": "10.0 (22631)"}, True, ""),
        ({"operatingSystem": "Windows 11 Enterprise", "operatingSystemVersion": "10.0 (1)"}, False, "not in the list"),
        ({"operatingSystem": "Windows 11 Enterprise"}, False, "of unknown build"),
        ({}, False, "does not say what it runs"),
    ],
)
def test_until_when_a_system_is_repaired_is_known_or_a_gap(values: dict[str, object], known: bool, said: str) -> None:
    port = forest.small()
    port.objects.append(computer(**values))

    records = reading(port)
    (system,) = [row for row in records if isinstance(row, OperatingSystem)]
    details = [row.detail for row in records if isinstance(row, Gap) and row.field == "supported_until"]

    assert (system.supported_until is not None) is known
    assert len(details) == (not known) and all(said in detail for detail in details)


@pytest.mark.parametrize("name", ["tier0", "tight"])
def test_a_policy_or_silo_that_does_not_show_what_it_is_leaves_their_number_open(name: str) -> None:
    port = everything()
    port.forest = [
        replace(one, values={"ntsecuritydescriptor": (hiding("objectClass"),)}) if f"CN={name}," in one.dn else one
        for one in port.forest
    ]
    (defence,) = [row for row in reading(port) if isinstance(row, DirectoryDefence)]

    assert defence.silos_enforced is None


def test_a_domain_of_the_forest_that_does_not_show_what_it_is_lets_nobody_be_called_ordinary() -> None:
    port = everything()
    port.forest = [
        replace(one, values={"ntsecuritydescriptor": (hiding("objectClass"),)}) if "CN=CHILD," in one.dn else one
        for one in port.forest
    ]
    records = reading(port)

    assert {row.privileged for row in records if isinstance(row, Privilege)} <= {True, None}
    assert any("cn=child" in row.detail.lower() for row in records if isinstance(row, Gap))
