-- Each query finds what must never be: no row means the invariant holds. Run in one REPEATABLE READ snapshot.

-- name: i1_counters_equal_a_recount
SELECT p.project_id, format('%%s items counted, %%s are there', p.item_count, n.n) FROM pools p
JOIN LATERAL (SELECT count(*) n, coalesce(max(ordinal) + 1, 0) AS top FROM items i WHERE i.project_id = p.project_id) n ON true
WHERE p.item_count <> n.n OR n.top <> n.n

-- name: i1_slots_equal_a_recount
SELECT p.project_id, format('%%s slots counted as settled, %%s are', p.settled_slots, n.n) FROM progress p
JOIN projects q ON q.id = p.project_id
JOIN LATERAL (
    SELECT coalesce(sum(CASE WHEN l.chosen_by = 'import' THEN q.overlap ELSE 1 END), 0) AS n FROM leases l
    WHERE l.project_id = p.project_id AND l.state IN ('done', 'skipped')
) n ON true
WHERE p.settled_slots <> n.n

-- name: i1_where_labels_are_counted_each_costs_one
SELECT i.project_id, format('item %%s costs %%s, but the budget counts labels', i.ordinal, i.cost)
FROM items i JOIN projects q ON q.id = i.project_id WHERE q.budget_unit = 'labels' AND i.cost <> 1

-- name: i3_every_settled_lease_has_one_counted_answer
-- That stands and says what the lease says.
SELECT l.project_id, format('lease %%s of item %%s is %%s but has %%s such answers that stand, of %%s', l.id, l.ordinal, l.state,
                            n.said, n.n)
FROM leases l
JOIN LATERAL (
    SELECT count(*) AS n,
           count(*) FILTER (WHERE a.kind = CASE l.state WHEN 'done' THEN 'label' ELSE 'skip' END) AS said
    FROM answers a
    WHERE a.project_id = l.project_id AND a.ordinal = l.ordinal AND a.annotator = l.annotator AND a.state = 'counted'
      AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = a.project_id AND n.replaces = a.id)
) n ON true
WHERE l.state IN ('done', 'skipped') AND (n.n <> 1 OR n.said <> 1)

-- name: i3_every_counted_answer_has_a_settled_lease
-- Of those that stand.
SELECT a.project_id, format('answer %%s (item %%s, %%s) counts without a settled lease', a.id, a.ordinal, a.annotator)
FROM answers a JOIN items i ON i.project_id = a.project_id AND i.ordinal = a.ordinal
WHERE a.state = 'counted' AND a.kind <> 'withdrawn' AND i.split = 'pool'
  AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = a.project_id AND n.replaces = a.id)
  AND NOT EXISTS (SELECT FROM leases l WHERE l.project_id = a.project_id AND l.ordinal = a.ordinal
                  AND l.annotator = a.annotator AND l.state IN ('done', 'skipped'))

-- name: i3_a_withdrawn_answer_holds_no_slot
SELECT a.project_id, format('answer %%s (item %%s, %%s) was withdrawn, and lease %%s of it is %%s', a.id, a.ordinal, a.annotator,
                            l.id, l.state)
FROM answers a JOIN leases l ON l.project_id = a.project_id AND l.ordinal = a.ordinal AND l.annotator = a.annotator
WHERE a.state = 'counted' AND a.kind = 'withdrawn' AND l.state IN ('done', 'skipped')
  AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = a.project_id AND n.replaces = a.id)

-- name: i4_no_item_has_more_opinions_than_its_overlap
SELECT l.project_id, format('item %%s has %%s leases or answers, overlap %%s', l.ordinal, count(*), max(q.overlap))
FROM leases l JOIN projects q ON q.id = l.project_id
WHERE l.state IN ('active', 'done', 'skipped')
GROUP BY l.project_id, l.ordinal HAVING count(*) > max(q.overlap)

-- name: i4_an_imported_label_stands_alone
SELECT l.project_id, format('item %%s has an imported label and a lease of %%s', l.ordinal, o.annotator)
FROM leases l JOIN leases o ON o.project_id = l.project_id AND o.ordinal = l.ordinal AND o.id <> l.id
WHERE l.chosen_by = 'import' AND l.state IN ('active', 'done', 'skipped') AND o.state IN ('active', 'done', 'skipped')

-- name: i4_nobody_holds_an_item_twice
SELECT l.project_id, format('%%s holds item %%s %%s times', l.annotator, l.ordinal, count(*)) FROM leases l
WHERE l.state IN ('active', 'done', 'skipped')
GROUP BY l.project_id, l.ordinal, l.annotator HAVING count(*) > 1

-- name: i4_active_leases_belong_to_open_batches
SELECT l.project_id, format('lease %%s is active, its batch is %%s', l.id, coalesce(b.state, 'missing'))
FROM leases l LEFT JOIN batches b ON b.id = l.batch_id
WHERE l.state = 'active' AND b.state IS DISTINCT FROM 'open'

-- name: i4_held_out_items_are_never_handed_out
SELECT l.project_id, format('item %%s is held out and was leased', l.ordinal)
FROM leases l JOIN items i ON i.project_id = l.project_id AND i.ordinal = l.ordinal WHERE i.split = 'test'

-- name: i6_answer_numbers_are_gap_free
SELECT p.project_id, format('answer_seq %%s, %%s counted answers, highest %%s', p.answer_seq, n.n, n.top) FROM progress p
JOIN LATERAL (SELECT count(*) n, coalesce(max(seq), 0) AS top FROM answers a
              WHERE a.project_id = p.project_id AND a.state = 'counted') n ON true
WHERE p.answer_seq <> n.n OR n.top <> n.n

-- name: i6_label_counters_equal_a_recount
SELECT p.project_id, format('labels %%s/%%s, paid %%s/%%s, skips %%s/%%s', p.label_count, n.labels, p.paid_count, n.paid,
                            p.skip_count, n.skips)
FROM progress p
JOIN LATERAL (
    SELECT count(*) FILTER (WHERE a.kind = 'label' AND i.split = 'pool') AS labels,
           coalesce(sum(i.cost) FILTER (WHERE a.kind = 'label' AND a.source = 'annotator'), 0) AS paid,
           count(*) FILTER (WHERE a.kind = 'skip') AS skips
    FROM answers a JOIN items i ON i.project_id = a.project_id AND i.ordinal = a.ordinal
    WHERE a.project_id = p.project_id AND a.state = 'counted'
      AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = a.project_id AND n.replaces = a.id)
) n ON true
WHERE p.label_count <> n.labels OR p.paid_count <> n.paid OR p.skip_count <> n.skips

-- name: i6_label_changes_equal_a_recount
-- Of every link of a chain: whether there is a label on either side of it.
SELECT p.project_id, format('%%s changes of labels counted, %%s are there', p.change_count, n.n) FROM progress p
JOIN LATERAL (
    SELECT count(*) AS n FROM answers a
    JOIN items i ON i.project_id = a.project_id AND i.ordinal = a.ordinal AND i.split = 'pool'
    LEFT JOIN answers b ON b.id = a.replaces
    WHERE a.project_id = p.project_id AND a.state = 'counted' AND 'label' IN (a.kind, b.kind)
) n ON true
WHERE p.change_count <> n.n OR p.requested_at_changes > p.change_count

-- name: i6_corrections_are_chains_of_one_item_and_person
-- Each replaces one earlier answer of the same item and person, none is replaced twice, and nothing is withdrawn twice. What is
-- corrected stays what it was, paid for or imported.
SELECT a.project_id, format('answer %%s (item %%s, %%s) replaces %%s', a.id, a.ordinal, a.annotator, a.replaces)
FROM answers a LEFT JOIN answers b ON b.id = a.replaces
WHERE a.replaces IS NOT NULL
  AND ((b.project_id, b.ordinal, b.annotator, b.state) IS DISTINCT FROM (a.project_id, a.ordinal, a.annotator, 'counted')
       OR b.kind <> 'withdrawn' AND b.source <> a.source OR b.seq >= a.seq OR a.kind = 'withdrawn' AND b.kind = 'withdrawn'
       OR EXISTS (SELECT FROM answers o WHERE o.project_id = a.project_id AND o.replaces = a.replaces AND o.id <> a.id))

-- name: i6_every_chain_has_one_beginning
SELECT a.project_id, format('item %%s has %%s first answers of %%s', a.ordinal, count(*), a.annotator) FROM answers a
WHERE a.state = 'counted' AND a.replaces IS NULL GROUP BY a.project_id, a.ordinal, a.annotator HAVING count(*) > 1

-- name: i7_an_unfinished_round_has_work_under_way
SELECT r.project_id, format('round %%s is %%s and no job of it is open', r.number, r.state) FROM rounds r
JOIN projects q ON q.id = r.project_id AND q.deleted_at IS NULL
WHERE r.state IN ('requested', 'training', 'scoring', 'selecting')
  AND NOT EXISTS (SELECT FROM jobs j WHERE j.subject = r.id AND j.state IN ('ready', 'claimed'))

-- name: i7_no_open_job_belongs_to_an_ended_round
SELECT r.project_id, format('job %%s (%%s) is %%s, round %%s is %%s', j.id, j.topic, j.state, r.number, r.state)
FROM jobs j JOIN rounds r ON r.id = j.subject
WHERE j.topic NOT IN ('labels.snapshot', 'round.measure') AND j.state IN ('ready', 'claimed') AND r.state IN ('ready', 'failed')

-- name: i7_the_history_ends_with_the_last_label
SELECT g.project_id, format('budget spent, %%s labels added or changed, no round runs, and the newest saw %%s', g.change_count,
                            g.requested_at_changes)
FROM progress g JOIN projects q ON q.id = g.project_id AND q.deleted_at IS NULL
JOIN rounds r ON r.project_id = g.project_id AND r.number = g.round_number
WHERE g.paid_count >= q.budget AND r.state = 'ready' AND g.requested_at_changes < g.change_count

-- name: i7_round_numbers_are_gap_free
SELECT p.project_id, format('round_number %%s, %%s rounds', p.round_number, n.n) FROM progress p
JOIN LATERAL (SELECT count(*) n FROM rounds r WHERE r.project_id = p.project_id) n ON true
WHERE p.round_number + 1 <> n.n

-- name: i8_ready_rounds_scored_every_shard
SELECT r.project_id, format('round %%s is ready, shard %%s is not done', r.number, s.shard)
FROM rounds r JOIN shards s ON s.round_id = r.id WHERE r.state = 'ready' AND NOT s.done

-- name: i8_blocks_cover_the_pool_without_gap_or_overlap
SELECT b.project_id, format('block %%s ends at %%s, the next begins at %%s', b.start, b.start + b.rows, b.next)
FROM (SELECT project_id, start, rows, lead(start) OVER (PARTITION BY project_id ORDER BY start) AS next FROM blocks) b
WHERE b.next IS NOT NULL AND b.next <> b.start + b.rows

-- name: i9_models_saw_only_labels_up_to_their_watermark
SELECT m.project_id, format('model %%s: watermark %%s, project is at %%s', m.version, m.watermark, p.answer_seq)
FROM models m JOIN progress p ON p.project_id = m.project_id WHERE m.watermark > p.answer_seq

-- name: i9_the_current_model_is_the_newest
SELECT p.project_id, format('current model is version %%s, the newest is %%s', m.version, n.top) FROM progress p
JOIN models m ON m.id = p.current_model
JOIN LATERAL (SELECT max(version) AS top FROM models o WHERE o.project_id = p.project_id) n ON true
WHERE m.version <> n.top

-- name: i10_no_message_waits_unsent
SELECT j.project_id, format('job %%s (%%s) is ready and unsent since %%s', j.id, j.topic, j.not_before) FROM jobs j
WHERE j.state = 'ready' AND j.rung_at IS NULL AND j.not_before < clock_timestamp() - make_interval(secs => %(patience)s)

-- name: i10_no_claim_is_silent
SELECT j.project_id, format('job %%s (%%s) is claimed by %%s, silent since %%s', j.id, j.topic, j.claimed_by, j.heartbeat_at)
FROM jobs j WHERE j.state = 'claimed' AND j.heartbeat_at < clock_timestamp() - make_interval(secs => %(patience)s)

-- name: i11_no_lapsed_batch_stays_open
SELECT b.project_id, format('batch %%s of %%s lapsed at %%s', b.id, b.annotator, b.expires_at) FROM batches b
WHERE b.state = 'open' AND b.expires_at < clock_timestamp() - make_interval(secs => %(patience)s)

-- name: i11_ready_slots_are_within_bounds
SELECT r.project_id, format('ready rank %%s of item %%s has %%s open slots, overlap %%s', r.rank, r.ordinal, r.open_slots, q.overlap)
FROM ready r JOIN projects q ON q.id = r.project_id WHERE r.open_slots < 0 OR r.open_slots > q.overlap

-- name: i12_no_session_sits_idle_in_a_transaction
SELECT NULL::uuid, format('pid %%s (%%s) idle in transaction since %%s', pid, application_name, state_change)
FROM pg_stat_activity
WHERE datname = current_database() AND state LIKE 'idle in transaction%%'
  AND state_change < clock_timestamp() - make_interval(secs => %(patience)s)

-- name: i13_labeled_vectors_equal_a_recount
SELECT s.project_id, format('%%s labeled vectors counted, %%s are there, numbered to %%s of %%s', s.vectors, n.vectors, n.top, s.seq)
FROM labeled_sets s JOIN labeled_recount() n ON n.project_id = s.project_id
WHERE n.vectors IS DISTINCT FROM s.vectors OR n.top > s.seq

-- name: i13_every_labeled_vector_has_its_label
SELECT n.project_id, format('%%s of %%s labeled vectors are of items without a label', n.strangers, n.vectors)
FROM labeled_recount() n WHERE n.strangers > 0

-- name: i13_every_label_has_its_vector
SELECT s.project_id, format('%%s items are labeled up to answer %%s; %%s have vectors there, %%s were not encoded, %%s are '
                            'of the control arm', n.n, s.watermark, s.vectors, s.waiting, s.left_out)
FROM labeled_sets s JOIN projects q ON q.id = s.project_id AND q.deleted_at IS NULL
JOIN LATERAL (
    SELECT count(DISTINCT a.ordinal) AS n FROM answers a
    JOIN items i ON i.project_id = a.project_id AND i.ordinal = a.ordinal AND i.split = 'pool'
    WHERE a.project_id = s.project_id AND a.state = 'counted' AND a.kind = 'label' AND a.seq <= s.watermark
      AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = a.project_id AND n.replaces = a.id AND n.seq <= s.watermark)
) n ON true
WHERE n.n <> s.vectors + s.waiting + s.left_out

-- name: i14_what_is_held_for_a_tool_is_there_or_on_its_way
SELECT l.project_id, format('item %%s is held for %%s, which is not to ask for it', l.ordinal, b.annotator)
FROM batches b JOIN leases l ON l.batch_id = b.id AND l.state = 'active'
WHERE b.state = 'open' AND b.connector_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM remote_tasks t WHERE t.connector_id = b.connector_id AND t.ordinal = l.ordinal
                  AND t.state IN ('intended', 'there'))

-- name: i14_what_counts_in_a_tool_counts_here
SELECT t.project_id, format('annotation %%s of item %%s counts by its answer %%s, which is not there', n.annotation, t.ordinal,
                            n.answer_id)
FROM remote_annotations n JOIN remote_tasks t ON t.id = n.task_id
WHERE n.state = 'counted' AND NOT EXISTS (
    SELECT FROM answers a WHERE a.id = n.answer_id AND a.project_id = t.project_id AND a.ordinal = t.ordinal
      AND a.annotator = n.annotator AND a.state = 'counted' AND a.kind <> 'withdrawn')

-- name: i14_no_held_out_item_is_in_a_tool_by_us
SELECT t.project_id, format('item %%s is held out and was pushed as %%s', t.ordinal, t.key)
FROM remote_tasks t JOIN items i ON i.project_id = t.project_id AND i.ordinal = t.ordinal
WHERE i.split = 'test' AND t.own

-- name: i15_a_labeling_machine_run_has_work_under_way
SELECT r.project_id, format('machine labeling %%s is under way and no job of it is open', r.id) FROM machine_runs r
JOIN projects q ON q.id = r.project_id AND q.deleted_at IS NULL
WHERE r.state = 'labeling' AND NOT EXISTS (SELECT FROM jobs j WHERE j.subject = r.id AND j.state IN ('ready', 'claimed'))

-- name: i15_machine_labels_equal_a_recount
SELECT r.project_id, format('machine labeling %%s counts %%s labels, %%s are there, %%s of them of no item of the pool', r.id,
                            r.labeled, n.n, n.strangers)
FROM machine_runs r JOIN projects q ON q.id = r.project_id AND q.deleted_at IS NULL
JOIN LATERAL (
    SELECT count(*) AS n, count(*) FILTER (WHERE i.ordinal IS NULL) AS strangers FROM machine_labels l
    LEFT JOIN items i ON i.project_id = r.project_id AND i.ordinal = l.ordinal AND i.split = 'pool'
    WHERE l.run_id = r.id
) n ON true
WHERE r.labeled <> n.n OR n.strangers > 0

-- name: i15_an_audited_machine_run_has_its_sample
SELECT r.project_id, format('machine labeling %%s is %%s, its sample holds %%s of %%s', r.id, r.state, n.n, r.audit_size)
FROM machine_runs r
JOIN LATERAL (SELECT count(l.audit) AS n FROM machine_labels l WHERE l.run_id = r.id) n ON true
WHERE r.state IN ('auditing', 'accepted', 'failed') AND n.n NOT BETWEEN 1 AND r.audit_size
