"""Tokens: one use, one key, a time, networks and names; hardware is an attribute and never an identity."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from agent import wire
from scanner.errors import UsageError
from scanner.fleet import journal, operations
from tests.scanner.fleet.lab import Pretended, Running, enrolled, new_key, request


def test_a_token_used_again_with_the_same_key_gets_the_same_answer(fleet: Running) -> None:
    agent, token = Pretended(fleet), fleet.token()
    first = agent.enrol(token)

    fleet.clock.pass_days(2)  # even after the token's time

    assert agent.enrol(token).says == first.says
    assert fleet.counted(f"SELECT COUNT(*) FROM agent_key WHERE key_id = '{agent.key_id}'") == 1


def test_a_stolen_token_is_refused_to_a_second_key_and_set_down(fleet: Running) -> None:
    token = fleet.token()
    Pretended(fleet).enrol(token)

    reply = Pretended(fleet, "thief").enrol(token)

    assert (reply.status, reply.word) == (409, "token_used")
    assert fleet.events()[-1] == "token_reused"


def test_a_token_is_stored_as_a_digest_only(fleet: Running) -> None:
    token = fleet.token()

    assert token.encode() not in (fleet.folder / "fleet.db").read_bytes()
    assert token.encode() not in (fleet.folder / "fleet.db-wal").read_bytes()


def test_a_token_ends(fleet: Running) -> None:
    token = fleet.token()
    fleet.clock.pass_days(1.01)

    assert Pretended(fleet).enrol(token).word == "token_expired"


def test_a_revoked_or_unknown_token_is_good_for_nothing(fleet: Running) -> None:
    token = fleet.token()
    with fleet.database() as database:
        from scanner.fleet import tokens

        tokens.revoke(database, tokens.listing(database)[-1].handle, fleet.ms)

    assert Pretended(fleet).enrol(token).word == "token_expired"
    assert Pretended(fleet).enrol("no-such-token-anywhere").word == "token_unknown"


def test_a_token_is_good_for_as_many_hosts_as_it_says(fleet: Running) -> None:
    token = fleet.token(uses=2)

    assert [Pretended(fleet).enrol(token).status for _ in range(3)] == [200, 200, 409]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"networks": ["10.0.0.0/8"]}, "token_elsewhere"),
        ({"networks": ["10.0.0.0/8", "127.0.0.0/8"]}, ""),
        ({"names": ["db-*"]}, "token_elsewhere"),
        ({"names": ["WEB-*"]}, ""),
    ],
)
def test_a_token_is_for_its_networks_and_names(fleet: Running, limits: dict[str, list[str]], expected: str) -> None:
    assert Pretended(fleet, "web-7").enrol(fleet.token(**limits)).word == expected


def test_a_header_makes_nobody_come_from_elsewhere(fleet: Running) -> None:
    body = Pretended(fleet).enrolment(fleet.token(networks=["10.0.0.0/8"]))

    assert fleet.post(wire.ENROL, body, {"X-Forwarded-For": "10.1.2.3"}).word == "token_elsewhere"


def test_a_wrong_network_of_a_token_is_told(fleet: Running) -> None:
    with pytest.raises(UsageError, match="is no network"):
        fleet.token(networks=["10.0.0.1/8"])


def test_with_approval_a_host_waits_until_an_operator_lets_it_in(fleet: Running) -> None:
    agent, token = Pretended(fleet), fleet.token(approval=True)
    first = agent.enrol(token)
    assert (first.status, first.says["state"], first.says["retry_after"]) == (202, "pending", 60)
    assert agent.enrol(token).status == 202
    with fleet.database() as database:
        waiting = database.rows("SELECT id FROM agent WHERE status = 'pending' ORDER BY number DESC LIMIT 1")[0][0]
        operations.approve(database, waiting, "known host", fleet.ms)

    reply = agent.enrol(token)

    assert (reply.status, reply.says["agent"]) == (200, waiting)
    assert agent.send(wire.BEAT, agent.beat()).status == 200


def test_equal_hardware_flags_both_and_overwrites_neither(fleet: Running) -> None:
    one = enrolled(fleet, "one", smbios_uuid="4C4C4544-0042-3510-8052-B4C04F564432")
    two = enrolled(fleet, "two", smbios_uuid="4c4c4544-0042-3510-8052-b4c04f564432")

    with fleet.reader() as reader:
        found = [reader.agent(agent.id) for agent in (one, two)]
    assert [agent is not None and agent.identity_collision is not None for agent in found] == [True, True]
    assert one.id != two.id
    assert [agent.send(wire.BEAT, agent.beat()).status for agent in (one, two)] == [200, 200]
    assert fleet.events()[-1] == "identity_collision"


@pytest.mark.parametrize(
    "serial", ["To Be Filled By O.E.M.", "Default string", "0", "None", "00000000", "System Serial Number"]
)
def test_what_a_maker_writes_into_every_machine_is_no_collision(fleet: Running, serial: str) -> None:
    agents = [enrolled(fleet, "a", serial=serial), enrolled(fleet, "b", serial=serial)]

    with fleet.reader() as reader:
        found = [reader.agent(agent.id) for agent in agents]
    assert [agent is not None and agent.identity_collision for agent in found] == [None, None]


def test_a_banned_agent_never_speaks_nor_enrols_again(fleet: Running) -> None:
    agent = enrolled(fleet, "bad", machine_id="b" * 32)
    with fleet.database() as database:
        operations.ban(database, agent.id, "stolen", fleet.ms)

    assert agent.send(wire.BEAT, agent.beat()).word == "banned"
    assert agent.enrol(fleet.token()).word == "banned"
    assert Pretended(fleet, "bad", {"machine_id": "b" * 32}).enrol().status == 202, "its hardware only with approval"
    with fleet.database() as database, pytest.raises(UsageError, match="for ever"):
        operations.evict(database, agent.id, "again", fleet.ms)


def test_an_evicted_agent_is_refused_and_may_enrol_again(fleet: Running) -> None:
    agent, token = Pretended(fleet, "old", {"machine_id": "e" * 32}), fleet.token()
    agent.enrol(token)
    before = agent.id
    with fleet.database() as database:
        operations.evict(database, agent.id, "re-imaged", fleet.ms)

    assert agent.send(wire.BEAT, agent.beat()).word == "evicted"
    assert agent.enrol(token).word == "evicted", "not with the old token"
    assert agent.enrol().status == 200
    agent.seq, agent.root = 0, wire.EMPTY_ROOT
    assert agent.id != before
    assert agent.send(wire.BEAT, agent.beat()).status == 200
    with fleet.reader() as reader:
        found = reader.agent(agent.id)
        assert found is not None and found.identity_collision is None


def test_a_key_that_is_in_use_enrols_no_second_agent(fleet: Running) -> None:
    agent = enrolled(fleet)

    assert Pretended(fleet, key=agent.key).enrol().word == "key_known"


@pytest.mark.parametrize("kind", ["rsa", "p384", "stolen", "garbage"])
def test_only_a_proven_key_on_p256_is_certified(fleet: Running, kind: str) -> None:
    agent = Pretended(fleet)
    made: dict[str, Callable[[], str]] = {
        "rsa": lambda: request(rsa.generate_private_key(65537, 2048)),
        "p384": lambda: request(ec.generate_private_key(ec.SECP384R1())),
        "stolen": lambda: _with_the_key_of_another(request(new_key())),
        "garbage": lambda: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
    }
    pem = made[kind]()
    body = wire.encode(
        {"v": 1, "token": fleet.token(), "csr": pem, "nonce": "n" * 24, "host": {"hostname": agent.hostname}}
    )

    reply = fleet.post(wire.ENROL, body)

    assert (reply.status, reply.word) == (400, "bad_message")
    assert "csr" in reply.says["detail"]


def _with_the_key_of_another(pem: str) -> str:
    """A request whose key was exchanged after it was signed."""
    import base64

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    raw = base64.b64decode("".join(pem.splitlines()[1:-1]))
    point = new_key().public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    place = raw.index(b"\x03\x42\x00\x04") + 3
    changed = raw[:place] + point + raw[place + len(point) :]
    lines = base64.encodebytes(changed).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{lines}-----END CERTIFICATE REQUEST-----\n"


def test_both_logs_prove_that_nothing_was_taken_out(fleet: Running) -> None:
    enrolled(fleet)

    with fleet.database() as database:
        assert len(journal.verify(database, journal.AUDIT)) == 64
        assert len(journal.verify(database, journal.ISSUANCE)) == 64
        issued = [entry.says.get("key") for entry in journal.entries(database, journal.ISSUANCE)]
    authorities = 1
    assert len(set(issued)) == fleet.counted("SELECT COUNT(*) FROM agent_key WHERE certificate <> ''") + authorities
