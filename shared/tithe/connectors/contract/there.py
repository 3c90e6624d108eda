"""From Tithe to the tool: what a connector is, its project, its tasks."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace

from tithe.connectors.contract.steps import (
    begun,
    id_of,
    item,
    needs,
    opened,
    promise,
    raises,
    skipped,
    value_of,
)
from tithe.connectors.contract.tool import ToolUnderTest
from tithe.connectors.errors import RemoteGone, SchemaUnfit, ToolUnreachable
from tithe.connectors.protocol import (
    Fate,
    Ranked,
    Remote,
    Withdrawn,
)
from tithe.contracts.projects import Task

_LEARNING = {"sklearn", "scipy", "torch", "transformers", "onnxruntime", "tokenizers"}
_LOADS = "import importlib, sys; importlib.import_module(sys.argv[1]); print(*sys.modules)"


class ThereContract:
    """The tests of what a connector brings to its tool."""

    # ---- the kind ----

    def test_the_kind_says_what_it_is(self, tool: ToolUnderTest) -> None:
        kind = tool.kind
        with opened(tool) as connector:
            can = connector.capabilities
        promise(re.fullmatch(r"[a-z][a-z0-9-]*", kind.name), f"a name is lower case with dashes, not {kind.name!r}")
        promise(kind.title and kind.secret_help, "a kind has a title, and says where one gets the secret")
        silent = [name for name, field in kind.settings.model_fields.items() if not field.description]
        promise(not silent, f"every setting says what it is: {silent} do not")
        again = kind.settings.model_validate(json.loads(json.dumps(tool.settings.model_dump(mode="json"))))
        promise(again == tool.settings, "settings survive being stored as JSON")
        promise(tool.schema.task in can.tasks and can.most_at_once >= 1, "capabilities hold the task of the schema")

    def test_importing_the_kind_brings_no_learning_library(self, tool: ToolUnderTest) -> None:
        module = type(tool.kind).__module__
        done = subprocess.run([sys.executable, "-c", _LOADS, module], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            skipped(f"{module} cannot be imported by name")
        loaded = set(done.stdout.split()) & _LEARNING
        promise(not loaded, f"the gateway imports {module}, which must not load {loaded}")

    def test_it_says_how_it_is(self, tool: ToolUnderTest) -> None:
        with opened(tool) as connector:
            promise(connector.health().detail, "health says something of a tool that is well")

    # ---- the project ----

    def test_a_preview_changes_nothing(self, tool: ToolUnderTest) -> None:
        with opened(tool) as connector:
            before = tool.projects()
            preview = connector.preview(tool.schema)
            promise(tool.projects() == before, "a preview makes no project")
            promise(preview.says and not preview.faults, f"a preview says what will be: {preview}")

    def test_a_project_is_made_once(self, tool: ToolUnderTest) -> None:
        with opened(tool) as connector:
            made = connector.ensure_project(tool.schema, None)
            count = tool.projects()
            kept = Remote(**json.loads(json.dumps({"id": made.id, "url": made.url, "facts": made.facts})))
            promise(kept == made, "a remote survives being stored as JSON")
            promise("://" in made.url, "a remote says where people label, as a URL")
        for known in (kept, None):  # None: it was made, and the crash came before anybody wrote it down
            with opened(tool) as connector:
                again = connector.ensure_project(tool.schema, known)
            promise(again.id == made.id or known is None, f"a known project is found again: {made.id}, {again.id}")
            promise(tool.projects() == count, f"it is made once, not {tool.projects()} times")

    def test_what_does_not_fit_is_said_beforehand_and_refused(self, tool: ToolUnderTest) -> None:
        with opened(tool) as connector:
            unable = next(task for task in reversed(Task) if task not in connector.capabilities.tasks)
            schema, before = replace(tool.schema, task=unable), tool.projects()
            promise(connector.preview(schema).faults, f"a preview says that {unable} cannot be")
            with raises(SchemaUnfit, f"a project of {unable}"):
                connector.ensure_project(schema, None)
            promise(tool.projects() == before, "nothing is made of what does not fit")

    def test_a_project_that_vanished_is_said_to_be_gone(self, tool: ToolUnderTest) -> None:
        with begun(tool) as (connector, remote, _):
            tool.delete_project()
            with raises(RemoteGone, "a known project that is not there"):
                connector.ensure_project(tool.schema, remote)
            with raises(RemoteGone, "a push to a project that is not there"):
                connector.push(remote, [item(7)], "late")

    # ---- there ----

    def test_items_become_tasks_in_order(self, tool: ToolUnderTest) -> None:
        with begun(tool) as (_, __, pushed):
            promise([one.key for one in pushed] == [item(n).key for n in range(3)], "an answer each, in order")
            promise(all(one.fate is Fate.CREATED for one in pushed), f"what is new is CREATED: {pushed}")
            promise({one.task for one in pushed} == tool.tasks(), "each is a task of its own")

    def test_people_see_the_text_as_it_is(self, tool: ToolUnderTest) -> None:
        with begun(tool) as (_, __, pushed):
            promise(tool.shown(id_of(pushed[1])) == item(1).text, "a text is shown as it is, emoji and all")

    def test_the_same_key_makes_one_task(self, tool: ToolUnderTest) -> None:
        with begun(tool) as (_, remote, first):
            pass
        with opened(tool) as connector:  # which remembers nothing
            again = connector.push(remote, [item(n) for n in range(4)], "round-1")
        promise([one.task for one in again[:3]] == [one.task for one in first], "a key leads to its task")
        fates = [one.fate for one in again]
        promise(fates == [Fate.EXISTING] * 3 + [Fate.CREATED], f"what was there is EXISTING: {fates}")
        promise(len(tool.tasks()) == 4, f"four keys are four tasks, not {len(tool.tasks())}")

    def test_a_push_cut_short_is_finished_by_the_next(self, tool: ToolUnderTest) -> None:
        with begun(tool, many=0) as (connector, remote, _):
            for after in range(15):
                items = [item(100 * after + n) for n in range(3)]
                if not tool.lose_answer(after):
                    skipped("answers of this tool cannot be lost on purpose")
                cut = False
                try:
                    connector.push(remote, items, f"round-{after}")
                except ToolUnreachable:
                    cut = True
                tool.come_back()
                told = connector.push(remote, items, f"round-{after}")
                promise(all(one.task for one in told), "what was cut short is there afterwards")
                count = 3 * (after + 1)
                promise(len(tool.tasks()) == count, f"cut after {after}: {len(tool.tasks())} tasks of {count} keys")
                if not cut:
                    return

    def test_an_item_the_tool_never_takes_keeps_no_other(self, tool: ToolUnderTest) -> None:
        if tool.refused_text is None:
            skipped("the tool takes every text")
        with begun(tool, many=0) as (connector, remote, _):
            items = [item(0), replace(item(1), text=tool.refused_text), item(2)]
            told = connector.push(remote, items, "round-1")
        fates = [one.fate for one in told]
        promise(fates == [Fate.CREATED, Fate.REJECTED, Fate.CREATED], f"only the one is REJECTED: {fates}")
        promise(told[1].reason and told[1].task is None, "a rejected item has a reason, and no task")
        promise(len(tool.tasks()) == 2, "the others are there")

    def test_people_are_asked_in_the_order_of_the_ranks(self, tool: ToolUnderTest) -> None:
        with begun(tool, many=6) as (connector, remote, pushed):
            needs(connector, "rerank")
            tasks = [id_of(one) for one in pushed]
            for version, order in (("v1", [4, 1, 0, 5, 3, 2]), ("v2", [2, 5, 3, 0, 1, 4])):
                connector.rerank(remote, [Ranked(tasks[at], rank) for rank, at in enumerate(order)], version)
            asked = list(tool.served("ada", 6))
            promise(asked == [tasks[at] for at in order], "the best is asked first, by the newest order")

    def test_what_nobody_answered_can_be_taken_back(self, tool: ToolUnderTest) -> None:
        with begun(tool) as (connector, remote, pushed):
            needs(connector, "withdraw")
            task = id_of(pushed[0])
            for _ in range(2):
                promise(connector.withdraw(remote, [task]) == {task: Withdrawn.GONE}, "what is taken back is GONE")
            promise(tool.tasks() == {id_of(one) for one in pushed[1:]}, "that task is gone, and no other")

    def test_what_is_answered_stays(self, tool: ToolUnderTest) -> None:
        with begun(tool) as (connector, remote, pushed):
            needs(connector, "withdraw")
            task = id_of(pushed[0])
            tool.label(task, "ada", value_of(tool.schema, 0))
            promise(connector.withdraw(remote, [task]) == {task: Withdrawn.ANSWERED}, "what is answered is ANSWERED")
            promise(task in tool.tasks() and connector.read(remote, [task])[0].annotations, "the answer is not lost")
