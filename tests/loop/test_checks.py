"""Every invariant is really looked for: break it, and the check names it."""

from __future__ import annotations

import pytest

from tithe.contracts.projects import Project
from tithe.loop.hand_out import hand_out
from tithe.storage import checks
from tithe.storage.database import Database

from .driving import answer, choices, embed_all, fill, line, run_round

LINK = (
    "(project_id, ordinal, annotator, kind, value, source, state, seq, replaces) SELECT project_id, ordinal, annotator,"
)
OF = "FROM answers WHERE seq = 10"
_CONNECT = (
    "INSERT INTO connectors (project_id, kind, name, settings, secret, hook_secret)"
    " SELECT id, 'board', 'wall', '{}', '', '' FROM projects"
)
_PUSH = "INSERT INTO remote_tasks (connector_id, project_id, ordinal, key, own, state)"
_MACHINE = (
    "INSERT INTO machine_runs"
    " (project_id, model_id, state, error, certainty, audit_size, preview, test_labels, labeled)"
    " SELECT id, id, '{}', 0.05, 0.95, 5, false, false, {} FROM projects"
)
BREAKAGES = {
    "i1_counters_equal_a_recount": "UPDATE pools SET item_count = item_count + 1",
    "i1_slots_equal_a_recount": "UPDATE progress SET settled_slots = settled_slots + 1",
    "i1_where_labels_are_counted_each_costs_one": "UPDATE items SET cost = 2 WHERE ordinal = 39",
    "i3_every_settled_lease_has_one_counted_answer": "UPDATE leases SET state = 'done' WHERE state = 'active'",
    "i3_every_counted_answer_has_a_settled_lease": "DELETE FROM leases WHERE state = 'done'",
    "i4_no_item_has_more_opinions_than_its_overlap": (
        "INSERT INTO leases (project_id, ordinal, slot, annotator, state, chosen_by)"
        " SELECT project_id, ordinal, 2, 'eve', 'done', 'x' FROM leases WHERE state = 'done' LIMIT 1"
    ),
    "i4_nobody_holds_an_item_twice": (
        "DROP INDEX leases_person; INSERT INTO leases (project_id, ordinal, slot, annotator, state, chosen_by)"
        " SELECT project_id, ordinal, 2, annotator, 'done', 'x' FROM leases WHERE state = 'done' LIMIT 1"
    ),
    "i4_active_leases_belong_to_open_batches": "UPDATE batches SET state = 'closed' WHERE state = 'open'",
    "i4_an_imported_label_stands_alone": "UPDATE leases SET chosen_by = 'import' WHERE ordinal = 0;"
    " INSERT INTO leases (project_id, ordinal, slot, annotator, state, chosen_by)"
    " SELECT project_id, ordinal, 2, 'eve', 'done', 'x' FROM leases WHERE ordinal = 0",
    "i7_the_history_ends_with_the_last_label": "UPDATE projects SET budget = 10; UPDATE rounds SET state = 'ready';"
    " UPDATE progress SET requested_at_labels = requested_at_labels - 1",
    "i4_held_out_items_are_never_handed_out": "UPDATE items SET split = 'test' WHERE ordinal = 0",
    "i3_a_withdrawn_answer_holds_no_slot": (
        f"INSERT INTO answers {LINK} 'withdrawn', NULL, source, 'counted', 11, id {OF}"
    ),
    "i6_corrections_are_chains_of_one_item_and_person": (
        "INSERT INTO answers (project_id, ordinal, annotator, kind, value, source, state, seq, replaces)"
        f" SELECT project_id, ordinal, 'eve', 'label', value, source, 'counted', 11, id {OF}"
    ),
    "i6_every_chain_has_one_beginning": (
        f"DROP INDEX answers_person; INSERT INTO answers {LINK} 'label', value, source, 'counted', 11, NULL {OF}"
    ),
    "i6_label_changes_equal_a_recount": "UPDATE progress SET revision_count = revision_count + 1",
    "i6_answer_numbers_are_gap_free": "UPDATE progress SET answer_seq = answer_seq + 1",
    "i6_label_counters_equal_a_recount": "UPDATE progress SET paid_count = paid_count - 1",
    "i7_an_unfinished_round_has_work_under_way": "DELETE FROM jobs WHERE topic = 'round.train'",
    "i7_no_open_job_belongs_to_an_ended_round": "UPDATE rounds SET state = 'failed' WHERE number = 1",
    "i7_round_numbers_are_gap_free": "UPDATE progress SET round_number = 7",
    "i8_ready_rounds_scored_every_shard": "UPDATE shards SET done = false",
    "i8_blocks_cover_the_pool_without_gap_or_overlap": "UPDATE blocks SET rows = 9 WHERE start = 0",
    "i9_models_saw_only_labels_up_to_their_watermark": (
        "INSERT INTO models (id, project_id, version, round_id, path, sha256, size, watermark, label_count)"
        " SELECT gen_random_uuid(), project_id, 1, id, 'm', '0', 1, 999, 1 FROM rounds WHERE number = 0"
    ),
    "i9_the_current_model_is_the_newest": (
        "INSERT INTO models (id, project_id, version, round_id, path, sha256, size, watermark, label_count)"
        " SELECT gen_random_uuid(), project_id, number + 1, id, 'm', '0', 1, 0, 1 FROM rounds;"
        "UPDATE progress SET current_model = (SELECT id FROM models WHERE version = 1)"
    ),
    "i10_no_message_waits_unsent": "UPDATE jobs SET not_before = now() - interval '1 h' WHERE state = 'ready'",
    "i10_no_claim_is_silent": "UPDATE jobs SET state = 'claimed', heartbeat_at = now() - interval '1 h'",
    "i11_no_lapsed_batch_stays_open": "UPDATE batches SET expires_at = now() - interval '1 h' WHERE state = 'open'",
    "i13_labeled_vectors_equal_a_recount": (
        "INSERT INTO labeled_sets (project_id, dimension, vectors) SELECT id, 3, 1 FROM projects"
    ),
    "i13_every_labeled_vector_has_its_label": (
        "INSERT INTO labeled_sets (project_id, dimension, vectors, seq) SELECT id, 3, 1, 1 FROM projects;"
        " DO $$ BEGIN EXECUTE format('INSERT INTO %I VALUES (1, 39, ''[1,2,3]'')', (SELECT name FROM labeled_sets));"
        " END $$"
    ),
    "i13_every_label_has_its_vector": (
        "INSERT INTO labeled_sets (project_id, dimension, watermark) SELECT id, 3, 10 FROM projects"
    ),
    "i11_ready_slots_are_within_bounds": "UPDATE ready SET open_slots = 9 WHERE rank = 0",
    "i14_what_is_held_for_a_tool_is_there_or_on_its_way": (
        f"{_CONNECT}; UPDATE batches SET connector_id = (SELECT id FROM connectors) WHERE state = 'open'"
    ),
    "i14_what_counts_in_a_tool_counts_here": (
        f"{_CONNECT}; {_PUSH} SELECT c.id, c.project_id, 0, 'k', true, 'there' FROM connectors c;"
        " INSERT INTO remote_annotations"
        " (connector_id, annotation, task_id, annotator, digest, kind, raw, state, answer_id)"
        " SELECT connector_id, 'a', id, 'eve', '', 'label', '{}', 'counted', 1 FROM remote_tasks"
    ),
    "i14_no_held_out_item_is_in_a_tool_by_us": (
        f"{_CONNECT}; {_PUSH} SELECT c.id, c.project_id, 39, 'k', true, 'there' FROM connectors c;"
        " UPDATE items SET split = 'test' WHERE ordinal = 39"
    ),
    "i15_a_labeling_machine_run_has_work_under_way": _MACHINE.format("labeling", 0),
    "i15_machine_labels_equal_a_recount": _MACHINE.format("withdrawn", 1),
    "i15_an_audited_machine_run_has_its_sample": _MACHINE.format("accepted", 0),
}


@pytest.fixture
def walked(database: Database, project: Project) -> Database:
    """A project in the middle of its work: ten answers in, a batch out, a round requested."""
    fill(database, project, [line(n) for n in range(40)])
    embed_all(database, project)
    run_round(database, project, choices(list(range(30))), trains=False)
    answer(database, project, hand_out(database, project.id, "ada", 10))
    hand_out(database, project.id, "bob", 5)
    return database


def test_a_sound_database_is_clean(walked: Database):
    assert walked.run(checks.check) == []


@pytest.mark.parametrize("invariant", sorted(BREAKAGES))
def test_a_broken_invariant_is_found(walked: Database, invariant: str):
    with walked.unit() as unit:
        unit.connection.execute(BREAKAGES[invariant])
    found = {violation.invariant for violation in walked.run(checks.check)}
    assert invariant in found


def test_every_invariant_is_tested():
    untested = {name.partition(".")[2] for name in checks.names()} - set(BREAKAGES)
    # Looks at other sessions, not at rows: an idle transaction cannot be made to look old.
    assert untested == {"i12_no_session_sits_idle_in_a_transaction"}
