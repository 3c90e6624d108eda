"""Machine labels from end to end: found by the control arm, written, audited by people, taken home marked."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from tithe.contracts.projects import Project, ProjectSpec, Task
from tithe.contracts.tasks import MachineLabel
from tithe.errors import StaleClaim
from tithe.gateway.app import create_app
from tithe.loop import correct
from tithe.loop.hand_out import hand_out
from tithe.loop.record import Sent, record
from tithe.proof import draw
from tithe.prover import machine_labels
from tithe.runtime import Runtime
from tithe.storage import answers, checks, jobs, machine, projects
from tithe.storage.pool import NewItem

from . import turning
from .turning import bring_in, label

ITEMS = 1200
Truth = dict[str, Any]


@pytest.fixture
def gateway(runtime: Runtime) -> Iterator[TestClient]:
    with TestClient(create_app(runtime), "http://127.0.0.1", False, client=("127.0.0.1", 50_000)) as client:
        yield client
    assert runtime.database.run(checks.check) == []


def work_off(runtime: Runtime) -> list[str]:
    """As the workers would, but for measuring rounds, which has tests of its own and takes seconds."""
    with runtime.database.unit() as unit:
        unit.connection.execute(
            "CREATE OR REPLACE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
            "CREATE OR REPLACE TRIGGER unmeasured BEFORE INSERT ON jobs FOR EACH ROW"
            " WHEN (NEW.topic = 'round.measure') EXECUTE FUNCTION nothing()"
        )
    return turning.work_off(runtime)


def trained(runtime: Runtime, *, labels: int = 160, apart: float = 2.5, **changes: object) -> tuple[Project, Truth]:
    """Two classes on a line through eight dimensions, a model of so many labels; two fifths of them are control."""
    settings = {
        "strategy": "margin", "batch_size": 10, "retrain_every": labels or 40, "seed": 5, "control": 0.4,
        "near_duplicate": None, **changes,
    }  # fmt: skip
    spec = ProjectSpec(name="vectors", task=Task.VECTORS, labels=["a", "b"], **settings)
    project = runtime.database.run(lambda unit: projects.create(unit, spec))
    rows = np.random.default_rng(0).standard_normal((ITEMS, 8), dtype=np.float32)
    rows[:, 0] += np.where(np.arange(ITEMS) % 2, apart, -apart)
    items = [NewItem(n, f"i{n}", f"{n:016d}".encode(), "pool", vector=row) for n, row in enumerate(rows)]
    bring_in(runtime, project, items, block_rows=400)
    work_off(runtime)
    truth = {f"i{n}": "ab"[n % 2] for n in range(ITEMS)}
    label(runtime, project, truth, labels)
    work_off(runtime)
    return project, truth


def path(project: Project, run: dict[str, Any] | None = None, tail: str = "") -> str:
    return f"/v1/projects/{project.id}/machine-labels" + (f"/{run['id']}{tail}" if run else "")


def ask(gateway: TestClient, runtime: Runtime, project: Project, **wanted: object) -> dict[str, Any]:
    answer = gateway.post(path(project), json={"error": 0.1, "audit": 20, **wanted})
    assert answer.status_code == 201, answer.text
    assert answer.json()["state"] == "labeling"
    work_off(runtime)
    return gateway.get(path(project, answer.json())).json()


def sample_of(runtime: Runtime, run: dict[str, Any]) -> list[int]:
    with runtime.database.unit() as unit:
        return list(dict.fromkeys(one.ordinal for one in machine.audit(unit, run["id"])))


def turn_soon(runtime: Runtime) -> None:
    with runtime.database.unit() as unit:
        unit.connection.execute("UPDATE projects SET retrain_every = 20")


def answer_audit(runtime: Runtime, project: Project, run: dict[str, Any], say: Callable[[str], str]) -> int:
    """Turn rounds until the audit was handed out and answered; how many items others were asked beside it."""
    sample, others = set(sample_of(runtime, run)), 0
    turn_soon(runtime)
    for _ in range(20):
        for _ in range(2):
            handed = hand_out(runtime.database, project.id, "ada", 10)
            sent = [Sent(item.external_id, say(item.external_id)) for item in handed.items]
            record(runtime.database, project.id, handed.batch.id, sent)
            others += sum(int(item.external_id[1:]) not in sample for item in handed.items)
        work_off(runtime)
        with runtime.database.unit() as unit:
            if not machine.audits_due(unit, project.id, 100):
                return others
    raise AssertionError("the audit was never answered")


def test_a_sure_model_labels_the_pool_and_an_audit_by_people_who_agree_accepts_it(
    gateway: TestClient, runtime: Runtime
):
    project, truth = trained(runtime)
    run = ask(gateway, runtime, project)
    assert run["state"] == "auditing"
    assert run["labeled"] == round(run["share"] * run["considered"]) > 500
    assert run["known"] > 55
    assert run["audit"]["waiting"] == run["audit"]["size"] == 20
    refused = gateway.get(path(project, run, "/export"))
    assert (refused.status_code, refused.json()["remedy"][:11]) == (409, "send anyway")

    others = answer_audit(runtime, project, run, truth.__getitem__)
    assert others > 20  # the audit is a part of the hand-out, no more
    run = gateway.get(path(project, run)).json()
    assert run["state"] == "accepted", run
    assert run["audit"]["answered"] == 20
    lines = [json.loads(line) for line in gateway.get(path(project, run, "/export")).text.splitlines()]
    marks = {(one["source"], one["run"], one["model_version"], one["error"]) for one in lines}
    assert marks == {("machine", run["id"], run["model_version"], 0.1)}
    assert all(one["confidence"] >= run["threshold"] - 1e-6 for one in lines)
    assert np.mean([one["label"] != truth[one["id"]] for one in lines]) <= 0.1
    assert gateway.get(path(project)).json()["runs"] == [run]


def test_an_audit_by_people_who_disagree_fails_the_run_and_refuses_its_labels(gateway: TestClient, runtime: Runtime):
    project, truth = trained(runtime)
    run = ask(gateway, runtime, project)
    sample = set(sample_of(runtime, run))

    def contrary(item: str) -> str:
        return "ab".replace(truth[item], "") if int(item[1:]) in sample else truth[item]

    answer_audit(runtime, project, run, contrary)
    run = gateway.get(path(project, run)).json()
    assert (run["state"], run["audit"]["answered"]) == ("failed", 20)
    assert run["audit"]["wrong"] >= 18
    refused = gateway.get(path(project, run, "/export"))
    assert refused.status_code == 409
    assert "the audit failed" in refused.json()["detail"]
    assert gateway.get(path(project, run, "/export?anyway=true")).status_code == 200
    with runtime.database.unit() as unit:  # the people were wrong, and take it back
        for was in answers.standing(unit, project.id, sorted(sample)):
            correct.withdraw(unit, project, was, "wrong button")
    run = gateway.get(path(project, run)).json()
    assert (run["state"], run["audit"]["waiting"]) == ("auditing", 20)


def test_people_keep_their_word_and_one_file_holds_both(gateway: TestClient, runtime: Runtime):
    project, truth = trained(runtime)
    run = ask(gateway, runtime, project)
    before = {
        json.loads(line)["id"] for line in gateway.get(path(project, run, "/export?anyway=true")).text.splitlines()
    }
    label(runtime, project, truth, 40)
    text = gateway.get(path(project, run, "/export?anyway=true&people=true&format=csv")).text
    rows = list(csv.DictReader(io.StringIO(text)))
    people = {row["id"] for row in rows if row["source"] == "annotator"}
    by_machine = {row["id"] for row in rows if row["source"] == "machine"}
    assert len(people) == 200
    assert by_machine < before
    assert by_machine == before - people
    assert len(rows) == len(people) + len(by_machine)


def test_the_audit_is_drawn_from_outside_the_reserve_and_is_the_same_again(gateway: TestClient, runtime: Runtime):
    project, _ = trained(runtime)
    run = ask(gateway, runtime, project, audit=300)
    sample = np.array(sample_of(runtime, run))
    assert len(sample) == 300
    assert not draw.reserved(project.seed, sample, 0.4).any()
    with runtime.database.unit() as unit:
        again = machine_labels.draw_audit(unit, machine.get(unit, run["id"]))
    assert again.tolist() == sample.tolist()


def test_audit_items_are_blind_and_look_like_any_other(gateway: TestClient, runtime: Runtime):
    project, truth = trained(runtime)
    run = ask(gateway, runtime, project)
    turn_soon(runtime)
    label(runtime, project, truth, 40)
    work_off(runtime)
    sample = {f"i{one}" for one in sample_of(runtime, run)}
    told = gateway.post(f"/v1/projects/{project.id}/batches", json={"annotator": "eve", "size": 100}).json()["items"]
    asked = [one for one in told if one["item_id"] in sample]
    assert len(asked) > 5
    assert {one["chosen_by"] for one in asked} == {"margin"}
    assert all("prediction" not in one["why"] for one in asked)


def test_too_few_control_labels_are_refused_at_once_with_what_to_do(gateway: TestClient, runtime: Runtime):
    project, _ = trained(runtime, labels=40)
    refused = gateway.post(path(project), json={"error": 0.05})
    assert (refused.status_code, refused.json()["code"]) == (409, "too_few_control_labels")
    assert refused.json()["detail"].startswith("59 confident control labels without a mistake are needed for 5.0%")
    assert refused.json()["remedy"].startswith("label about")


def test_a_model_that_knows_nothing_is_too_uncertain_and_says_so(gateway: TestClient, runtime: Runtime):
    project, _ = trained(runtime, apart=0.0)
    run = ask(gateway, runtime, project)
    assert (run["state"], run["labeled"], run["audit"]) == ("too_uncertain", 0, None)
    assert "too many for 10.0%" in run["says"]
    assert gateway.get(path(project, run, "/export?anyway=true")).status_code == 409


def test_a_preview_tells_the_share_and_writes_nothing(gateway: TestClient, runtime: Runtime):
    project, _ = trained(runtime)
    seen = ask(gateway, runtime, project, preview=True)
    assert (seen["state"], seen["labeled"]) == ("proposed", 0)
    run = ask(gateway, runtime, project)
    assert run["share"] == pytest.approx(seen["share"], abs=0.03)


def test_without_a_model_or_beside_another_run_there_is_none(gateway: TestClient, runtime: Runtime):
    project, _ = trained(runtime, labels=0)
    assert gateway.post(path(project), json={"error": 0.1}).json()["code"] == "no_model_yet"
    runtime.database.run(lambda unit: projects.delete(unit, project.id))
    project, _ = trained(runtime)
    assert gateway.post(path(project), json={"error": 0.1}).status_code == 201
    assert gateway.post(path(project), json={"error": 0.1}).json()["code"] == "conflict"
    for error in (0, 0.9, "x"):
        assert gateway.post(path(project), json={"error": error}).status_code == 422
    work_off(runtime)


def test_a_withdrawn_run_asks_nobody_and_gives_nothing(gateway: TestClient, runtime: Runtime):
    project, truth = trained(runtime)
    run = ask(gateway, runtime, project)
    turn_soon(runtime)
    label(runtime, project, truth, 40)
    work_off(runtime)
    with runtime.database.unit() as unit:
        (queued,) = unit.connection.execute("SELECT count(*) FROM ready WHERE chosen_by = 'audit'").fetchone()
    assert queued > 10  # some were asked for by a strategy meanwhile: their answers count
    assert gateway.delete(path(project, run)).status_code == 204
    with runtime.database.unit() as unit:
        assert machine.audits_due(unit, project.id, 100) == []
        assert unit.connection.execute("SELECT count(*) FROM ready WHERE chosen_by = 'audit'").fetchone() == (0,)
    assert gateway.get(path(project, run)).json()["state"] == "withdrawn"
    assert gateway.get(path(project, run, "/export?anyway=true")).status_code == 409
    assert gateway.delete(path(project, run)).status_code == 204
    early = gateway.post(path(project), json={"error": 0.1}).json()
    assert gateway.delete(path(project, early)).status_code == 204
    assert "machine.label" not in work_off(runtime)


def test_work_goes_on_where_it_was_left_and_no_label_is_written_twice(
    gateway: TestClient, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
):
    project, _ = trained(runtime)
    whole = ask(gateway, runtime, project)
    expected = gateway.get(path(project, whole, "/export?anyway=true")).text.replace(whole["id"], "")
    monkeypatch.setattr(machine_labels, "_ROWS", 100)
    monkeypatch.setattr(machine_labels, "_SECONDS", -1.0)  # every job leaves the rest to the next, after one stretch
    write, times = machine.write, iter(range(1000))

    def dies(*arguments: Any, **values: Any) -> bool:
        if next(times) == 3:
            raise OSError("the disk is away")
        return write(*arguments, **values)

    monkeypatch.setattr(machine, "write", dies)
    run = gateway.post(path(project), json={"error": 0.1, "audit": 20}).json()
    for _ in range(3):
        work_off(runtime)
        with runtime.database.unit() as unit:
            unit.connection.execute("UPDATE jobs SET not_before = now() WHERE state = 'ready'")
    assert gateway.get(path(project, run)).json()["state"] == "auditing"
    assert gateway.get(path(project, run, "/export?anyway=true")).text.replace(run["id"], "") == expected


def test_a_worker_that_lost_its_claim_writes_nothing(gateway: TestClient, runtime: Runtime):
    project, _ = trained(runtime)
    run = gateway.post(path(project), json={"error": 0.1}).json()
    message = MachineLabel(run_id=run["id"])
    with runtime.database.unit() as unit:
        claim = jobs.claim(unit, message, "slow")
    assert claim is not None
    assert gateway.delete(path(project, run)).status_code == 204
    with pytest.raises(StaleClaim):
        machine_labels.label_by_machine(runtime, message, claim)
    with runtime.database.unit() as unit:
        assert unit.connection.execute("SELECT count(*) FROM machine_labels").fetchone() == (0,)


def test_a_deleted_project_takes_its_machine_labels_along(gateway: TestClient, runtime: Runtime):
    project, _ = trained(runtime)
    ask(gateway, runtime, project)
    runtime.database.run(lambda unit: projects.delete(unit, project.id))
    while runtime.database.run(lambda unit: projects.purge_slice(unit, -1.0, rows=200)):
        pass
    with runtime.database.unit() as unit:
        assert unit.connection.execute(
            "SELECT (SELECT count(*) FROM machine_labels) + count(*) FROM machine_runs"
        ).fetchone() == (0,)
