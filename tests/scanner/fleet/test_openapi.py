"""The OpenAPI document is what the real server does: each status occurs, each route stands there, each message fits."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from agent import wire
from scanner.cli import cli
from scanner.fleet import openapi, operations
from scanner.fleet.answers import REFUSALS
from scanner.fleet.messages import BadMessage, Beat, Enrolment, Renewal, Report, decoded, offered
from scanner.fleet.openapi import WORDS
from tests.scanner.fleet.fuzzing import ODD_VALUES, Made
from tests.scanner.fleet.lab import POSTURE, Pretended, Reply, Running, enrolled, make_fleet, new_key
from tests.scanner.fleet.signalling import ask, caller, good_posture, signalling, told

PATHS = (wire.ENROL, wire.RENEW, wire.BEAT, wire.REPORT)
ONE, MANY = "/v1/posture/{agent}", "/v1/posture"
FORMS = {wire.ENROL: Enrolment, wire.RENEW: Renewal, wire.BEAT: Beat, wire.REPORT: Report}
Provoked = tuple[str, Reply]


@cache
def document() -> dict[str, Any]:
    """Made once: it takes a while."""
    return openapi.document()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = signalling(tmp_path_factory.mktemp("openapi") / "server", "per_minute = 100000")
    yield running
    running.end()


def application_of(fleet: Running) -> Any:
    """The server's application."""
    assert fleet.server._uvicorn is not None
    return fleet.server._uvicorn.config.app


def fits(path: str, schema: Any = None) -> Draft202012Validator:
    """Judges bodies of a path."""
    found = document()
    if schema is None:
        schema = found["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return Draft202012Validator(schema | {"components": found["components"]})


def post(fleet: Running, agent: Pretended, path: str, body: bytes) -> Provoked:
    return path, fleet.post(path, body, {} if path == wire.ENROL else agent.signed(path, body))


def of_the_head(fleet: Running, path: str) -> list[Provoked]:
    """What is refused before the body is read."""
    found = []
    for fields in (
        {"Transfer-Encoding": "chunked"},
        {"Content-Length": "262145"},
        {"Content-Length": "2", "Content-Encoding": "gzip"},
    ):
        connection = fleet.connect()
        connection.putrequest("POST", path)
        for name, value in fields.items():
            connection.putheader(name, value)
        connection.endheaders()
        found.append((path, Reply.of(connection.getresponse())))
        connection.close()
    return found


def enrolments(fleet: Running) -> list[Provoked]:
    one, two, waits = Pretended(fleet), Pretended(fleet), Pretended(fleet)
    secret = fleet.token()
    found = [one.enrol(secret), two.enrol(secret), two.enrol("x" * 43), waits.enrol(fleet.token(approval=True))]
    found += [
        one.enrol(),
        Pretended(fleet).enrol(fleet.token(life_s=0)),
        two.enrol(fleet.token(networks=["10.0.0.0/8"])),
    ]
    old = Pretended(fleet, key=one.key)
    one.renew(one.renewal(key := new_key()), key)
    found.append(old.enrol(secret))
    with fleet.database() as database:
        operations.evict(database, one.id, "x", fleet.ms)
    found.append(old.enrol(secret))
    with fleet.database() as database:
        operations.ban(database, one.id, "x", fleet.ms)
    found.append(old.enrol(secret))
    return [(wire.ENROL, reply) for reply in found] + [post(fleet, one, wire.ENROL, b"{}")]


def messages(fleet: Running, path: str) -> list[Provoked]:
    """Heartbeats, reports and renewals, right and wrong."""

    def body_of(agent: Pretended) -> bytes:
        if path == wire.RENEW:
            return agent.renewal(new_key())
        return agent.beat() if path == wire.BEAT else agent.report(POSTURE)

    agent, odd = enrolled(fleet), enrolled(fleet)
    found = [post(fleet, agent, path, body_of(agent)), post(fleet, agent, path, b"{}")]
    found.append(post(fleet, Pretended(fleet), path, b"{}"))
    found.append((path, fleet.post(path, body_of(odd), odd.signed(path, b"other"))))
    if path == wire.RENEW:
        found.append(post(fleet, odd, path, odd.renewal(odd.key)))
        found.append(post(fleet, agent, path, body_of(agent)))
    else:
        for _ in range(3):
            odd.send(wire.BEAT, odd.beat())
        found.append(post(fleet, odd, path, body_of(odd).replace(b'"seq":4', b'"seq":3')))
    for decide in (operations.evict, operations.ban):
        with fleet.database() as database:
            decide(database, agent.id, "x", fleet.ms)
        found.append(post(fleet, agent, path, body_of(agent)))
    return found


def verdicts(fleet: Running) -> list[Provoked]:
    agent, secret = told(fleet), caller(fleet)
    far, ended = caller(fleet, networks=["10.0.0.0/8"]), caller(fleet, life_s=1)
    fleet.clock.now += 2
    found = []
    for path, where in ((ONE, f"/v1/posture/{agent.id}"), (MANY, "/v1/posture?limit=1")):
        right = ask(fleet, where, secret)
        kept = ask(fleet, where, secret, if_none_match=right.headers["etag"])
        found += [
            (path, each) for each in (right, kept, ask(fleet, where), ask(fleet, where, far), ask(fleet, where, ended))
        ]
    found.append((ONE, ask(fleet, "/v1/posture/nobody", secret)))
    found.append((MANY, ask(fleet, "/v1/posture?limit=0", secret)))
    found.append(("/v1/posture-keys", ask(fleet, "/v1/posture-keys")))
    return found


def overloaded(fleet: Running, secret: str, monkeypatch: pytest.MonkeyPatch) -> list[Provoked]:
    """What is answered while the writer takes nothing, and to a stranger who comes too often."""
    agent = enrolled(fleet)
    application = application_of(fleet)
    parts = application._parts
    asked = {path: agent.beat() for path in (wire.BEAT, wire.REPORT)} | {wire.RENEW: agent.renewal(new_key())}
    asked[wire.REPORT] = agent.report(POSTURE)
    found = []
    with monkeypatch.context() as patch:
        patch.setattr(parts.writer, "_dead", True)
        patch.setattr(parts.signal, "_waiting", 64)
        found += [post(fleet, agent, path, body) for path, body in asked.items()]
        found.append((wire.ENROL, Pretended(fleet).enrol("x" * 43)))
        found += [("/healthz", ask(fleet, "/healthz")), (MANY, ask(fleet, "/v1/posture", secret))]
        found.append((ONE, ask(fleet, f"/v1/posture/{agent.id}", secret)))
    stranger = Pretended(fleet)
    asks: tuple[Callable[[], Provoked], ...] = (
        lambda: (MANY, ask(fleet, MANY)),
        lambda: post(fleet, stranger, wire.BEAT, b"{}"),
        lambda: (wire.ENROL, Pretended(fleet).enrol("x" * 43)),
    )
    for once in asks:
        for _ in range(40):
            found.append(once())
            if found[-1][1].status == 429:
                break
    found += [(MANY, ask(fleet, "/v1/posture", secret)), (ONE, ask(fleet, f"/v1/posture/{agent.id}", secret))]
    found += [post(fleet, agent, path, body) for path, body in asked.items()]
    return found


def test_every_status_that_the_document_names_is_given_and_no_other_and_every_answer_fits(
    fleet: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = caller(fleet)
    found = [*enrolments(fleet), *verdicts(fleet)]
    for path in PATHS:
        found += of_the_head(fleet, path)
        if path != wire.ENROL:
            found += messages(fleet, path)
    found += [("/healthz", ask(fleet, "/healthz")), ("/metrics", ask(fleet, "/metrics"))]
    found += overloaded(fleet, secret, monkeypatch)

    documented = {
        (path, status)
        for path, item in document()["paths"].items()
        for operation in item.values()
        for status in operation["responses"]
    }
    given = {(path, str(reply.status)) for path, reply in found}
    assert documented - given == {("/metrics", "404")}, "that one has a test of its own"
    assert given - documented == set()
    for path, reply in found:
        (operation,) = document()["paths"][path].values()
        response = operation["responses"][str(reply.status)]
        for kind, content in response.get("content", {}).items():
            assert reply.headers["content-type"].split(";")[0] == kind, (path, reply)
            if kind == "application/json":
                assert list(fits(path, content["schema"]).iter_errors(reply.says)) == [], (path, reply)
                named = content["schema"].get("$ref", "").rsplit("/", 1)[-1]
                if named:
                    assert set(reply.says) == set(document()["components"]["schemas"][named]["properties"])
        assert set(response.get("headers", {})) <= set(reply.headers), (path, reply)


def test_every_word_of_a_refusal_stands_in_the_document_or_is_for_all_paths() -> None:
    assert set(REFUSALS) - {word for words in WORDS.values() for word in words} == {"method", "timeout"}


def test_every_route_of_the_server_is_documented_and_no_other(fleet: Running) -> None:
    application = application_of(fleet)

    assert sorted(application.paths) == sorted(document()["paths"])
    for path, item in document()["paths"].items():
        where = path.replace("{agent}", "x")
        wrong = "PUT" if "post" in item else "POST"
        reply = ask(fleet, where, method=wrong)
        assert (reply.status, reply.word) == (405, "method"), path
    assert ask(fleet, "/v1/hb/").word == ask(fleet, "/healthz/").word == "not_found"


def test_metrics_are_not_there_for_others(tmp_path_factory: pytest.TempPathFactory) -> None:
    fleet = Running(make_fleet(tmp_path_factory.mktemp("metrics") / "server", metrics_networks=["10.0.0.0/8"]))
    reply = ask(fleet, "/metrics")
    fleet.end()

    assert (reply.status, reply.word) == (404, "not_found")
    content = document()["paths"]["/metrics"]["get"]["responses"]["404"]["content"]["application/json"]
    assert list(fits("", content["schema"]).iter_errors(reply.says)) == []


def test_the_document_is_whole_and_printed_by_a_command(fleet: Running) -> None:
    result = CliRunner().invoke(cli, ["fleet", "openapi", "--folder", str(fleet.folder)])
    printed = json.loads(result.output)

    validate(printed)
    assert printed == json.loads(json.dumps(document() | {"servers": [{"url": "https://127.0.0.1:8443"}]}))


def test_what_agents_send_fits_the_document(fleet: Running) -> None:
    agent = Pretended(fleet, attributes={"tpm_ek_sha256": "ab", "os": "Debian 12"})
    agent.id = "01920000-0000-7000-8000-000000000000"
    sent = {
        wire.ENROL: agent.enrolment("t" * 43),
        wire.RENEW: agent.renewal(agent.key),
        wire.BEAT: agent.beat(),
        wire.REPORT: agent.report(good_posture()),
    }
    for path, body in sent.items():
        assert list(fits(path).iter_errors(json.loads(body))) == [], path


def changes(message: Any, chance: random.Random) -> Iterator[Any]:
    """A message with one value, name or entry that is another."""

    def change(inside: Callable[[Any, Any], None]) -> Any:
        whole = json.loads(json.dumps(message))
        holder = whole
        while True:
            key = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
            if not (isinstance(holder[key], (dict, list)) and holder[key] and chance.random() < 0.7):
                inside(holder, key)
                return whole
            holder = holder[key]

    for odd in ODD_VALUES:
        yield change(lambda holder, key, odd=odd: holder.__setitem__(key, odd))  # type: ignore[misc]
    for _ in range(10):
        yield change(lambda holder, key: holder.__delitem__(key))
        yield change(lambda holder, key: holder.update(surplus=1) if isinstance(holder, dict) else holder.append(1.5))


def understood(body: bytes, path: str) -> None:
    """Read a body as the server does."""
    found = decoded(body, FORMS[path])
    if path == wire.REPORT:
        offered(found, body)


@pytest.mark.parametrize("path", PATHS)
def test_what_the_document_refuses_the_server_refuses_and_what_it_allows_is_understood(path: str) -> None:
    chance = random.Random(path)
    schemas = document()["components"]["schemas"]
    judge, made = fits(path), Made(chance, schemas)
    schema = schemas[FORMS[path].__name__]
    refused = 0
    for _ in range(12):
        message = made.value(schema)
        assert list(judge.iter_errors(message)) == []
        decoded(json.dumps(message).encode(), FORMS[path])
        for odd in changes(message, chance):
            if judge.is_valid(odd):
                continue
            refused += 1
            body = json.dumps(odd).encode("utf-8", "surrogatepass")
            with pytest.raises(BadMessage):
                understood(body, path)
    assert refused > 100


@pytest.mark.parametrize("path", PATHS)
def test_no_name_is_followed_by_the_end_of_a_line(path: str) -> None:
    """In Python's regular expressions ``$`` stands before a last line feed, too."""
    schemas = document()["components"]["schemas"]
    message = Made(random.Random(path), schemas).value(schemas[FORMS[path].__name__])
    for name, each in schemas[FORMS[path].__name__]["properties"].items():
        if "pattern" in each:
            decoded(json.dumps(message).encode(), FORMS[path])
            body = json.dumps(message | {name: message[name] + "\n"}).encode()
            with pytest.raises(BadMessage):
                decoded(body, FORMS[path])
