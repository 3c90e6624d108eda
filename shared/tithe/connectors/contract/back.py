"""From the tool to Tithe: what people said, and unsaid."""

# ruff: noqa: D102 - a test's name is its sentence

from __future__ import annotations

from tithe.connectors.contract.steps import (
    all_of,
    begun,
    id_of,
    is_label,
    needs,
    opened,
    polled,
    promise,
    skipped,
    value_of,
)
from tithe.connectors.contract.tool import ToolUnderTest
from tithe.connectors.protocol import (
    Kind,
)


class BackContract:
    """The tests of what a connector tells of its tool."""

    def test_labels_come_back_as_they_were_given(self, tool: ToolUnderTest) -> None:
        with begun(tool, many=5) as (connector, remote, pushed):
            for n, one in enumerate(pushed):
                tool.label(id_of(one), "ada", value_of(tool.schema, n))
            told, _ = polled(connector, remote, None)
            for n, one in enumerate(pushed):
                seen = told.get(id_of(one))
                promise(seen is not None and seen.key == one.key, "a task is told with its key")
                is_label(tool, seen, value_of(tool.schema, n))

    def test_a_poll_misses_nothing_and_may_be_repeated(self, tool: ToolUnderTest) -> None:
        with begun(tool, many=12) as (connector, remote, pushed):
            tasks = [id_of(one) for one in pushed]
            first, cursor = polled(connector, remote, None)
            promise(set(first) == set(tasks), "since ever: all there is")
            for half in (tasks[:6], tasks[6:]):
                before = cursor
                for task in half:
                    tool.label(task, "ada", value_of(tool.schema, 1))
                told, cursor = polled(connector, remote, before)
                missed = [task for task in half if not (task in told and told[task].annotations)]
                promise(not missed, f"every change is told: {len(missed)} of 6 are not")
                with opened(tool) as another:
                    again, _ = polled(another, remote, before)
                promise({t for t in half if t in again} == set(half), "the same cursor tells the same again")

    def test_reading_tells_tasks_whole_and_which_are_not_there(self, tool: ToolUnderTest) -> None:
        with begun(tool) as (connector, remote, pushed):
            tool.label(id_of(pushed[2]), "ada", value_of(tool.schema, 2))
            unknown = "99999999"
            told = connector.read(remote, [id_of(pushed[2]), unknown, id_of(pushed[0])])
            promise([one.task for one in told] == [id_of(pushed[2]), unknown, id_of(pushed[0])], "one each, in order")
            promise([one.exists for one in told] == [True, False, True], "what is not there does not exist")
            is_label(tool, told[0], value_of(tool.schema, 2))
            promise(not told[2].annotations, "what nobody answered has no annotations")

    def test_an_edit_keeps_the_annotation(self, tool: ToolUnderTest) -> None:
        with begun(tool) as (connector, remote, pushed):
            needs(connector, "edits")
            task = id_of(pushed[0])
            tool.label(task, "ada", value_of(tool.schema, 1))
            before, cursor = polled(connector, remote, None)
            tool.edit(task, "ada", value_of(tool.schema, 2))
            after, _ = polled(connector, remote, cursor)
            promise(task in after, "an edit is told")
            is_label(tool, after[task], value_of(tool.schema, 2))
            one, other = before[task].annotations[0], after[task].annotations[0]
            promise((one.id, one.annotator) == (other.id, other.annotator), "edited, it is still the same annotation")

    def test_what_is_deleted_is_no_longer_told(self, tool: ToolUnderTest) -> None:
        with begun(tool) as (connector, remote, pushed):
            needs(connector, "deletes")
            answered, deleted = id_of(pushed[0]), id_of(pushed[1])
            tool.label(answered, "ada", value_of(tool.schema, 1))
            _, cursor = polled(connector, remote, None)
            tool.delete_annotation(answered, "ada")
            told, cursor = polled(connector, remote, cursor)
            promise(answered in told and not told[answered].annotations, "an answer taken back is not there any more")
            tool.label(answered, "ada", value_of(tool.schema, 2))
            is_label(tool, polled(connector, remote, cursor)[0].get(answered), value_of(tool.schema, 2))
            tool.delete_task(deleted)
            promise(not connector.read(remote, [deleted])[0].exists, "a deleted task does not exist")
            promise(deleted not in all_of(connector, remote), "a deleted task is not among everything")

    def test_a_skip_is_told(self, tool: ToolUnderTest) -> None:
        with begun(tool) as (connector, remote, pushed):
            needs(connector, "skips")
            tool.skip(id_of(pushed[0]), "ada")
            (one,) = polled(connector, remote, None)[0][id_of(pushed[0])].annotations
            promise(one.kind is Kind.SKIP and one.value is None, f"who skips says nothing of the item: {one}")

    def test_several_people_are_told_apart(self, tool: ToolUnderTest) -> None:
        with begun(tool) as (connector, remote, pushed):
            needs(connector, "overlap")
            for who in ("ada", "bob"):
                tool.label(id_of(pushed[0]), who, value_of(tool.schema, 1))
            tool.label(id_of(pushed[1]), "bob", value_of(tool.schema, 1))
            both, bobs = (one.annotations for one in connector.read(remote, [id_of(one) for one in pushed[:2]]))
            promise(len({one.annotator for one in both}) == 2, f"two people are two names: {both}")
            promise(bobs[0].annotator in {one.annotator for one in both}, "one person keeps one name")
            promise(len({one.id for one in (*both, *bobs)}) == 3, "every annotation has an id of its own")

    def test_nonsense_is_told_and_harms_nothing(self, tool: ToolUnderTest) -> None:
        with begun(tool) as (connector, remote, pushed):
            if not tool.nonsense(id_of(pushed[0]), "ada"):
                skipped("the tool lets nobody answer nonsense")
            tool.label(id_of(pushed[1]), "ada", value_of(tool.schema, 1))
            told, _ = polled(connector, remote, None)
            is_label(tool, told[id_of(pushed[1])], value_of(tool.schema, 1))
            found = told[id_of(pushed[0])].annotations
            promise(len(found) == 1, "what nobody can use is told all the same")
            honest = found[0].fault if found[0].kind is Kind.UNREADABLE else found[0].value is not None
            promise(honest and found[0].kind is not Kind.SKIP, f"it is told as it is, or why not: {found[0]}")

    def test_everything_is_what_is_there(self, tool: ToolUnderTest) -> None:
        with begun(tool, many=12) as (connector, remote, pushed):
            tool.label(id_of(pushed[3]), "ada", value_of(tool.schema, 1))
            there = all_of(connector, remote)
            promise(set(there) == tool.tasks(), "everything is every task, and nothing else")
            promise({one.key for one in there.values()} == {one.key for one in pushed}, "each with its key")
            is_label(tool, there[id_of(pushed[3])], value_of(tool.schema, 1))

    def test_an_annotation_leads_to_its_task(self, tool: ToolUnderTest) -> None:
        with begun(tool) as (connector, remote, pushed):
            task = id_of(pushed[1])
            tool.label(task, "ada", value_of(tool.schema, 1))
            ids = [one.id for one in connector.read(remote, [task])[0].annotations]
            found = connector.task_of(remote, ["99999999", *ids])
            promise(found == [task], f"an annotation leads to its task, and one that is not there nowhere: {found}")
