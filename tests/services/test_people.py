"""Who may do what: keys, sessions, invitations, roles, members, other sites, and what may be guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from tithe.contracts.people import Role
from tithe.gateway import app, batches
from tithe.gateway.access import NEEDS, OPEN, check_table
from tithe.gateway.app import create_app
from tithe.gateway.who import COOKIE
from tithe.loop import people as accounts
from tithe.runtime import Runtime
from tithe.storage import audit, people
from tithe.storage.database import Unit

PASSWORD = "seven green umbrellas"
MAIL = {"task": "text_classification", "labels": ["ham", "spam"], "encoder": "hashing", "control": 0}


@pytest.fixture
def closed(runtime: Runtime) -> Runtime:
    """As a server is: whoever calls says who they are."""
    return Runtime(runtime.settings.model_copy(update={"open_loopback": False}), runtime.database)


@pytest.fixture
def gateway(closed: Runtime) -> Iterator[TestClient]:
    with TestClient(create_app(closed), "http://127.0.0.1", False, client=("127.0.0.1", 50_000)) as client:
        yield client


@pytest.fixture
def key(runtime: Runtime) -> Any:
    """Make an account with a key, by name and role; its header."""

    def make(name: str, role: str = "annotator", days: int | None = 1) -> dict[str, str]:
        def work(unit: Unit) -> str:
            user, _ = accounts.add(unit, name, role, "test")
            return accounts.add_key(unit, user, name, "test", days)[0]

        return {"Authorization": f"Bearer {runtime.database.run(work)}"}

    return make


def make_project(gateway: TestClient, header: dict[str, str], name: str = "mail") -> str:
    made = gateway.post("/v1/projects", json={"name": name, **MAIL}, headers=header)
    assert made.status_code == 201, made.text
    at = f"/v1/projects/{made.json()['id']}"
    lines = "\n".join(f'{{"text": "message {i}"}}' for i in range(20))
    assert gateway.post(
        f"{at}/items", content=lines, headers=header | {"Content-Type": "application/x-ndjson"}
    ).is_success
    return at


# ---- coming in ----


def test_every_operation_says_who_may_call_it():
    listed = [name for names in NEEDS.values() for name in names]
    assert len(listed) == len(set(listed))
    inside = {route.name for router in (*app._INTERFACE, *app._PAGES) for route in router.routes}
    outside = {route.name for router in app._OUTSIDE for route in router.routes}
    assert inside == set(listed), "the table names what there is, and nothing else"
    assert outside == OPEN
    with pytest.raises(RuntimeError, match="who may call ask_batch"):
        check_table([], [batches.router])


def test_without_a_key_nothing_is_told(gateway: TestClient):
    """Every operation that is not open, with made-up ids: 401, and the same 401."""
    ids = {"project_id": "0192f3a4-5b6c-7d8e-9f00-112233445566", "batch_id": "0192f3a4-5b6c-7d8e-9f00-112233445566"}
    seen = set()
    for route in (route for router in (*app._INTERFACE, *app._PAGES) for route in router.routes):
        path = re.sub(r"\{(\w+)(:path)?\}", lambda found: ids.get(found[1], "x"), route.path)
        for method in route.methods:
            answer = gateway.request(method, path)
            assert answer.status_code == 401, (method, path, answer.status_code)
            assert answer.headers["www-authenticate"] == "Bearer"
            seen |= {answer.text} - {""}  # HEAD has none
    assert len(seen) == 1


@pytest.mark.parametrize(
    "sent", ["Bearer", "Bearer ", "Bearer tithe_nothing", "Basic YWRhOmFkYQ==", "tithe_x", "Bearer \udcff"]
)
def test_a_key_that_does_not_count_is_refused(gateway: TestClient, sent: str):
    answer = gateway.get("/v1/me", headers={"Authorization": sent.encode("utf-8", "surrogateescape")})
    assert (answer.status_code, answer.json()["code"]) == (401, "signed_out")


def test_keys_expire_are_revoked_and_are_never_stored(gateway: TestClient, key: Any, runtime: Runtime):
    ada = key("ada")
    assert gateway.get("/v1/me", headers=ada).json() == {"name": "ada", "role": "annotator", "signed_in_by": "key"}
    made = gateway.post("/v1/keys", json={"name": "nightly"}, headers=ada).json()
    second = {"Authorization": f"Bearer {made['key']}"}
    assert gateway.get("/v1/me", headers=second).status_code == 200
    listed = gateway.get("/v1/keys", headers=ada).json()["keys"]
    assert [one["name"] for one in listed] == ["test", "nightly"]
    assert made["key"] not in str(listed)
    assert gateway.delete(f"/v1/keys/{made['about']['id']}", headers=ada).status_code == 204
    assert gateway.get("/v1/me", headers=second).status_code == 401
    with runtime.database.unit() as unit:
        stored = str(unit.connection.execute("SELECT * FROM api_keys").fetchall())
        assert made["key"] not in stored
        unit.connection.execute("UPDATE api_keys SET expires_at = clock_timestamp() - interval '1 second'")
    assert gateway.get("/v1/me", headers=ada).status_code == 401
    bob = key("bob")
    assert gateway.delete(f"/v1/keys/{listed[0]['id']}", headers=bob).status_code == 404, "another's key is not there"


def test_an_invitation_sets_a_password_once_and_signs_in(gateway: TestClient, key: Any):
    root = key("root", "admin")
    invited = gateway.post("/v1/users", json={"name": "ada"}, headers=root).json()
    link = invited["link"]
    assert gateway.get(link).status_code == gateway.get(link).status_code == 200, "looking does not use it up"
    assert gateway.post(link, json={"password": "short"}).status_code == 422
    assert gateway.post(link, json={"password": "ada is my name"}).status_code == 422
    assert gateway.post(link, json={"password": PASSWORD}).status_code == 204
    cookie = gateway.cookies.get(COOKIE)
    assert cookie
    assert gateway.get("/v1/me").json()["signed_in_by"] == "session"
    gateway.cookies.clear()
    assert gateway.post(link, json={"password": PASSWORD + "!"}).status_code == 401
    assert gateway.get(link).status_code == 404
    taken = gateway.post("/v1/users", json={"name": "ADA"}, headers=root)
    assert (taken.status_code, taken.json()["place"]) == (409, "body.name")


def test_two_who_follow_one_invitation_at_once_one_gets_it(gateway: TestClient, key: Any):
    link = gateway.post("/v1/users", json={"name": "ada"}, headers=key("root", "admin")).json()["link"]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: gateway.post(link, json={"password": f"{PASSWORD} {i}"}).status_code, range(4)))
    assert sorted(found) == [204, 401, 401, 401]


def sign_up(gateway: TestClient, root: dict[str, str], name: str, role: str = "annotator") -> str:
    """An account with a password; its cookie. Nobody is signed in afterwards."""
    link = gateway.post("/v1/users", json={"name": name, "role": role}, headers=root).json()["link"]
    assert gateway.post(link, json={"password": PASSWORD}).status_code == 204
    cookie = gateway.cookies.get(COOKIE)
    gateway.cookies.clear()
    assert cookie
    return cookie


def test_signing_in_and_out(gateway: TestClient, key: Any, runtime: Runtime):
    root = key("root", "admin")
    first = sign_up(gateway, root, "ada")
    done = gateway.post("/sign-in", json={"name": "Ada", "password": PASSWORD})
    assert done.status_code == 204
    attributes = done.headers["set-cookie"].lower()
    assert "httponly" in attributes
    assert "samesite=lax" in attributes
    assert gateway.cookies.get(COOKIE) != first, "a session of its own each time"
    assert gateway.get("/me").status_code == 200
    assert gateway.post("/sign-out").status_code == 204
    assert gateway.get("/v1/me").status_code == 401
    page = gateway.get("/people?x=1", headers={"accept": "text/html"}, follow_redirects=False)
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in?next=%2Fpeople%3Fx%3D1")
    # The other session lives, until the password is changed.
    assert gateway.get("/v1/me", headers={"Cookie": f"{COOKIE}={first}"}).status_code == 200
    again = gateway.post("/v1/users/ada/invitation", headers=root).json()["link"]
    assert gateway.post(again, json={"password": PASSWORD * 2}).status_code == 204
    gateway.cookies.clear()
    assert gateway.get("/v1/me", headers={"Cookie": f"{COOKIE}={first}"}).status_code == 401
    with runtime.database.unit() as unit:
        stored = str(unit.connection.execute("SELECT password FROM users WHERE name = 'ada'").fetchone())
    assert "argon2id" in stored
    assert PASSWORD not in stored


def test_guessing_is_slowed_down_whoever_is_guessed(gateway: TestClient, key: Any):
    sign_up(gateway, key("root", "admin"), "ada")
    for name in ("ada", "nobody"):
        codes = [gateway.post("/sign-in", json={"name": name, "password": f"guess {i}"}) for i in range(7)]
        assert [one.status_code for one in codes] == [401] * 5 + [429] * 2, name
        assert 0 < int(codes[-1].headers["retry-after"]) <= 60
    assert gateway.post("/sign-in", json={"name": "ada", "password": PASSWORD}).status_code == 429
    # From one address, whatever the names.
    found = [gateway.post("/sign-in", json={"name": f"n{i}", "password": "x"}).status_code for i in range(12)]
    assert found[-1] == 429


@pytest.mark.parametrize(
    "onward", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", ""]
)
def test_signing_in_leads_nowhere_else(gateway: TestClient, onward: str):
    page = gateway.get("/sign-in", params={"next": onward})
    assert 'data-onward="/"' in page.text
    assert 'data-onward="/label/x?y=1"' in gateway.get("/sign-in", params={"next": "/label/x?y=1"}).text


# ---- other sites ----


def test_a_page_of_another_site_cannot_act_by_the_cookie(gateway: TestClient, key: Any):
    root = key("root", "admin")
    cookie = {"Cookie": f"{COOKIE}={sign_up(gateway, root, 'lead', 'manager')}"}
    body = {"name": "mail", **MAIL}
    for from_where in (
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"},
        {"Origin": "null"}, {"Origin": "http://127.0.0.1:9999"},
    ):  # fmt: skip
        answer = gateway.post("/v1/projects", json=body, headers=cookie | from_where)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site"), from_where
        assert (
            gateway.post("/sign-in", json={"name": "lead", "password": PASSWORD}, headers=from_where).status_code == 403
        )
    assert (
        gateway.post("/v1/projects", json=body, headers=cookie | {"Sec-Fetch-Site": "same-origin"}).status_code == 201
    )
    # A key is nothing a browser sends by itself.
    assert gateway.get("/v1/me", headers=root | {"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_an_open_server_is_open_to_this_machine_only(runtime: Runtime):
    opened = create_app(runtime)
    with TestClient(opened, "http://127.0.0.1:8000", False, client=("127.0.0.1", 1)) as here:
        assert here.get("/v1/me").json() == {"name": "admin", "role": "admin", "signed_in_by": "loopback"}
        assert here.get("/v1/me", headers={"Host": "localhost"}).status_code == 200
        for outside in (
            {"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example"}, {"X-Forwarded-For": "8.8.8.8"},
            {"Forwarded": "for=8.8.8.8"}, {"Via": "1.1 proxy"}, {"Host": "["},
        ):  # fmt: skip
            assert here.get("/v1/me", headers=outside).status_code == 401, outside
        assert here.post("/v1/projects", json={}, headers={"Origin": "https://evil.example"}).status_code == 403
    with TestClient(opened, "http://127.0.0.1:8000", False, client=("192.168.1.7", 1)) as elsewhere:
        assert elsewhere.get("/v1/me").status_code == 401
        assert elsewhere.get("/metrics").status_code == 401


def test_measurements_are_for_who_has_their_key(closed: Runtime):
    from pydantic import SecretStr

    settings = closed.settings.model_copy(update={"metrics_key": SecretStr("scrape")})
    opened = create_app(Runtime(settings, closed.database))
    with TestClient(opened, "http://tithe.example", False, client=("10.0.0.9", 1)) as scraper:
        assert scraper.get("/metrics").status_code == 401
        assert scraper.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert "tithe_database_up" in scraper.get("/metrics", headers={"Authorization": "Bearer scrape"}).text


# ---- roles ----


def test_a_project_is_not_there_for_strangers(gateway: TestClient, key: Any):
    lead, stranger = key("lead", "manager"), key("eve", "manager")
    at = make_project(gateway, lead)
    missing = "/v1/projects/0192f3a4-5b6c-7d8e-9f00-112233445566"
    for method, path in (
        ("GET", ""), ("GET", "/status"), ("GET", "/export"), ("POST", "/batches"), ("DELETE", ""), ("GET", "/proof"),
        ("GET", "/members"), ("PATCH", ""), ("POST", "/stop"), ("GET", "/history"), ("POST", "/items"),
    ):  # fmt: skip
        one, other = (gateway.request(method, base + path, headers=stranger) for base in (at, missing))
        assert (one.status_code, other.status_code) == (404, 404), (method, path)
        assert one.text.replace(at.rpartition("/")[2], "") == other.text.replace(missing.rpartition("/")[2], "")
    assert gateway.get("/v1/projects", headers=stranger).json()["projects"] == []
    assert [one["name"] for one in gateway.get("/v1/projects", headers=lead).json()["projects"]] == ["mail"]


def test_each_role_may_what_the_table_says_and_no_more(gateway: TestClient, key: Any):
    root, lead, ada = key("root", "admin"), key("lead", "manager"), key("ada")
    at = make_project(gateway, lead)
    calls = {
        Role.ANNOTATOR: [("GET", ""), ("POST", "/batches")],
        Role.REVIEWER: [("GET", "/status"), ("GET", "/export"), ("GET", "/proof"), ("GET", "/members")],
        Role.MANAGER: [("POST", "/stop"), ("POST", "/resume"), ("PATCH", "")],
        Role.ADMIN: [("DELETE", "")],
    }
    for role in ("annotator", "reviewer", "manager"):
        assert gateway.put(f"{at}/members/ada", json={"role": role}, headers=lead).status_code == 204
        for needed, asked in calls.items():
            for method, path in asked:
                body = {"json": {}} if method in ("POST", "PATCH") else {}
                answer = gateway.request(method, at + path, headers=ada, **body)
                if Role(role).may(needed):
                    assert answer.is_success, (role, method, path, answer.text)
                else:
                    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed"), (role, method, path)
    assert gateway.post("/v1/projects", json={"name": "mine", **MAIL}, headers=ada).status_code == 403
    assert gateway.get("/v1/users", headers=lead).status_code == 403
    assert gateway.delete(f"{at}/members/ada", headers=lead).status_code == 204
    assert gateway.get(at, headers=ada).status_code == 404
    assert gateway.delete(at, headers=root).status_code == 204


def test_annotators_answer_under_their_own_name_and_see_their_own_batches(gateway: TestClient, key: Any):
    lead, ada, bob = key("lead", "manager"), key("ada"), key("bob")
    at = make_project(gateway, lead)
    for name in ("ada", "bob"):
        gateway.put(f"{at}/members/{name}", json={"role": "annotator"}, headers=lead)
    assert gateway.post(f"{at}/batches", json={"annotator": "bob"}, headers=ada).status_code == 403
    batch = gateway.post(f"{at}/batches", json={"size": 2}, headers=ada).json()
    held = f"/v1/batches/{batch['batch_id']}"
    item = batch["items"][0]["item_id"]
    assert gateway.get(held, headers=ada).json()["annotator"] == "ada"
    answer = {"labels": [{"item_id": item, "label": "ham"}]}
    for method, path, body in (
        ("GET", "", None), ("POST", "/labels", answer), ("POST", "/heartbeat", None), ("POST", "/release", None),
    ):  # fmt: skip
        assert gateway.request(method, held + path, headers=bob, json=body).status_code == 404, path
    forged = {"labels": [{"item_id": item, "label": "ham", "annotator": "bob"}]}
    refused = gateway.post(f"{held}/labels", json=forged, headers=ada)
    assert (refused.status_code, refused.json()["place"]) == (403, "body.labels[0].annotator")
    assert gateway.post(f"{held}/labels", json=answer, headers=ada).status_code == 201
    # A tool with a manager's key asks for whom it serves.
    assert gateway.post(f"{at}/batches", json={"annotator": "carol"}, headers=lead).json()["items"]


def test_whoever_is_locked_out_is_out_at_once_and_the_last_admin_stays(gateway: TestClient, key: Any):
    root = key("root", "admin")
    cookie = {"Cookie": f"{COOKIE}={sign_up(gateway, root, 'ada')}"}
    bob = key("bob")
    for name, header in (("ada", cookie), ("bob", bob)):
        assert gateway.get("/v1/me", headers=header).status_code == 200
        assert gateway.patch(f"/v1/users/{name}", json={"disabled": True}, headers=root).json()["disabled_at"]
        assert gateway.get("/v1/me", headers=header).status_code == 401
    assert gateway.patch("/v1/users/bob", json={"disabled": False}, headers=root).status_code == 200
    assert gateway.get("/v1/me", headers=bob).status_code == 200
    assert gateway.get("/v1/me", headers=cookie).status_code == 401
    for change in ({"disabled": True}, {"role": "manager"}):
        kept = gateway.patch("/v1/users/root", json=change, headers=root)
        assert (kept.status_code, kept.json()["detail"]) == (409, "root is the only admin")
    second = key("second", "admin")
    assert gateway.patch("/v1/users/root", json={"role": "manager"}, headers=second).json()["role"] == "manager"


def test_the_first_admin_is_made_once(runtime: Runtime):
    def work(_: int) -> str | None:
        return runtime.database.run(lambda unit: accounts.first_admin(unit, "admin"))

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(work, range(4)))
    assert sum(one is not None for one in made) == 1
    assert runtime.database.run(people.accounts)[0].role == "admin"


def test_who_did_what_is_kept_and_cannot_be_changed(gateway: TestClient, key: Any, runtime: Runtime):
    lead = key("lead", "manager")
    key("ada")
    at = make_project(gateway, lead)
    gateway.put(f"{at}/members/ada", json={"role": "reviewer"}, headers=lead)
    gateway.patch(at, json={"batch_size": 7}, headers=lead)
    noted = runtime.database.run(lambda unit: audit.page(unit, None))
    told = [(one.who, one.what) for one in noted]
    assert told[:3] == [("lead", "project.changed"), ("lead", "member.set"), ("lead", "project.made")]
    assert noted[0].details == {"batch_size": 7}
    first = gateway.get(f"{at}/audit?limit=2", headers=lead).json()
    assert [one["what"] for one in first["changes"]] == ["project.changed", "member.set"]
    rest = gateway.get(f"{at}/audit?before={first['next']}", headers=lead).json()
    assert ([one["what"] for one in rest["changes"]], rest["next"]) == (["project.made"], None)
    for statement in ("DELETE FROM audit", "UPDATE audit SET who = 'eve'"):
        with pytest.raises(Exception, match="append-only"), runtime.database.unit() as unit:
            unit.connection.execute(statement)
