"""Privilege by groups alone: nested, standing, and the marks that a former one leaves."""

from __future__ import annotations

from dataclasses import replace

from collectors.ad import AdCollector, decode
from scanner.facts import Activity, Privilege, User
from scanner.model import Gap
from tests.collectors.ad import forest
from tests.collectors.ad.asking import ad_target, by_login
from tests.collectors.ad.forest import BASE
from tests.collectors.ad.reading import gaps_of, hiding, reading

REPLICATOR = decode.sid_bytes("S-1-5-32-552")


def test_privilege_by_nested_groups_stands_for_ever() -> None:
    """Held against a known false pass: nobody in the list of members itself is privileged by it alone."""
    rows = by_login(reading(forest.small()), Privilege)

    assert {name: (row.privileged, row.standing, row.residual) for name, row in rows.items()} == {
        "ann": (True, True, False),
        "ben": (False, False, False),
    }


def test_a_mark_without_a_group_is_left_over_and_no_privilege() -> None:
    """Held against a known false pass: adminCount stays on those who have long left."""
    port = forest.small()
    replicator = forest.group("Replicator", 552, f"CN=rep,OU=People,{BASE}")
    port.groups.append(replace(replicator, values={**replicator.values, "objectsid": (REPLICATOR,)}))
    port.objects += [
        forest.user("former", 1103, adminCount="1"),
        forest.user("zero", 1104, adminCount="0"),
        forest.user("now", 1105, adminCount="1", memberOf=f"CN=inner,OU=Groups,{BASE}"),
        forest.user("krbtgt", 502, adminCount="1"),
        forest.user("rep", 1106, adminCount="1"),
    ]

    rows = by_login(reading(port), Privilege)

    assert {name: (rows[name].privileged, rows[name].residual) for name in ("former", "zero", "now")} == {
        "former": (False, True),
        "zero": (False, False),
        "now": (True, False),
    }
    assert (rows["krbtgt"].residual, rows["rep"].residual) == (False, False)


def test_a_hidden_mark_and_a_mark_on_unknown_privilege_are_gaps() -> None:
    port = forest.small()
    port.objects += [
        forest.user("hidden", 1103, sd=hiding("adminCount")),
        forest.user("unknown", 1104, adminCount="1", memberOf=f"CN=elsewhere,OU=Groups,{BASE}"),
    ]

    records = reading(port)
    rows = by_login(records, Privilege)

    for name in ("hidden", "unknown"):
        assert rows[name].residual is None
        assert ("Privilege", "residual") in gaps_of(records, rows[name].asset)


def test_what_no_directory_says_of_privilege_is_left_to_others() -> None:
    promised = {name for name in AdCollector().promises(ad_target()) if name.startswith("Privilege")}
    rows = by_login(reading(forest.small()), Privilege).values()

    assert promised == {"Privilege.privileged", "Privilege.standing", "Privilege.residual"}
    assert {(row.daily_work, row.eligible, row.activation) for row in rows} == {(None, None, None)}


def test_the_last_sign_in_may_lie_two_weeks_behind() -> None:
    """Held against a known false pass: lastLogonTimestamp lags, and the lag is told as a gap."""
    port = forest.small()
    port.objects.append(forest.user("eva", 1103, lastLogonTimestamp="134000000000000000"))

    records = reading(port)

    assert by_login(records, Activity)["eva"].ever_signed_in is True
    assert [row.detail for row in records if isinstance(row, Gap) and row.field == "idle_since"] == [
        "lastLogonTimestamp is up to 14 days behind the last sign-in",
        "lastLogonTimestamp is up to 14 days behind the last sign-in",
    ]


def test_units_say_which_accounts_are_shared_or_for_emergencies() -> None:
    port = forest.small()
    port.objects += [forest.user("desk", 1103, unit="OU=Shared"), forest.user("last-resort", 1104, unit="OU=Glass")]

    records = reading(
        port, shared_units=[f"ou=shared,{BASE}"], break_glass_units=[f"ou=glass,{BASE}"], person_units=[BASE]
    )
    users = by_login(records, User)

    assert {name: users[name].category for name in ("desk", "last-resort", "ann")} == {
        "desk": "shared",
        "last-resort": "break_glass",
        "ann": "person",
    }
