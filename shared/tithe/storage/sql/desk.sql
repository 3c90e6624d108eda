-- What one call at the labelers' desk needs to know, read in one go: every round trip saved here is one less per label.

-- name: asking
SELECT p.id, p.name, p.task, p.labels, p.strategy, p.near_duplicate, p.metric, p.encoder, p.learner,
       p.pre_annotate, p.batch_size, p.retrain_every, p.lease_seconds, p.overlap, p.budget, p.budget_unit, p.seed, p.control, p.reserve,
       p.price, p.currency, p.stop_when, p.stopped_at, p.stopped_because, p.toward_random, p.created_at,
       g.change_count - coalesce(r.change_count, r.label_count, 0) AS labels_since,
       r.number AS round_number, r.ended_at AS ranked_at, m.version AS model_version,
       EXISTS (SELECT FROM batches b WHERE b.project_id = p.id AND b.state = 'open'
               AND b.expires_at <= clock_timestamp()) AS some_lapsed
FROM projects p JOIN progress g ON g.project_id = p.id
LEFT JOIN rounds r ON r.id = g.current_round LEFT JOIN models m ON m.id = r.model_id
WHERE p.id = %(project_id)s AND p.deleted_at IS NULL

-- name: answering
-- Holds the batch: two answers to one batch take turns, also when they carry the same idempotency key.
SELECT p.id, p.name, p.task, p.labels, p.strategy, p.near_duplicate, p.metric, p.encoder, p.learner,
       p.pre_annotate, p.batch_size, p.retrain_every, p.lease_seconds, p.overlap, p.budget, p.budget_unit, p.seed, p.control, p.reserve,
       p.price, p.currency, p.stop_when, p.stopped_at, p.stopped_because, p.toward_random, p.created_at, b.annotator, b.round_id, b.state,
       (o.item_count - o.test_count) * p.overlap AS all_slots
FROM batches b JOIN projects p ON p.id = b.project_id JOIN pools o ON o.project_id = p.id
WHERE b.id = %(batch_id)s AND (%(project_id)s::uuid IS NULL OR p.id = %(project_id)s) AND p.deleted_at IS NULL
FOR UPDATE OF b

-- name: held
-- An item's content is read only where spans are checked against it: a text may be long, and most labels are words.
SELECT l.id, l.ordinal, i.external_id, l.annotator, l.state, i.cost,
       CASE WHEN %(contents)s THEN i.text END AS text, CASE WHEN %(contents)s THEN i.tokens END AS tokens
FROM leases l JOIN items i ON i.project_id = l.project_id AND i.ordinal = l.ordinal
WHERE l.batch_id = %(batch_id)s

-- name: remembered
SELECT sha256, response FROM idempotency_keys WHERE project_id = %(project_id)s AND key = %(key)s

-- name: settle
-- Marks leases answered and, with the last one, the batch closed.
WITH settled AS (
    UPDATE leases SET state = CASE WHEN ordinal = ANY(%(skipped)s) THEN 'skipped' ELSE 'done' END
    WHERE batch_id = %(batch_id)s AND ordinal = ANY(%(ordinals)s) AND state = 'active'
)
UPDATE batches SET state = 'closed', ended_at = clock_timestamp() WHERE id = %(batch_id)s AND %(closes)s

-- name: settle_for
-- As `settle`, of leases that somebody else held: each is given the name of the one who answered.
UPDATE leases l SET state = CASE a.kind WHEN 'skip' THEN 'skipped' ELSE 'done' END, annotator = a.annotator
FROM unnest(%(lease_ids)s::bigint[], %(annotators)s::text[], %(kinds)s::text[]) AS a (lease_id, annotator, kind)
WHERE l.id = a.lease_id AND l.state = 'active'

-- name: turn
-- Settled leases of answers that were corrected.
UPDATE leases l SET state = CASE a.kind WHEN 'skip' THEN 'skipped' ELSE 'done' END
FROM unnest(%(lease_ids)s::bigint[], %(kinds)s::text[]) AS a (lease_id, kind)
WHERE l.id = a.lease_id AND l.state IN ('done', 'skipped')

-- name: free
-- A settled lease whose answer was withdrawn.
UPDATE leases SET state = 'released' WHERE id = %(lease_id)s AND state IN ('done', 'skipped') RETURNING chosen_by

-- name: held_elsewhere
-- Open batches of those who answered through another one, where they hold the same items; locked, in turns.
SELECT b.id FROM batches b
WHERE b.id <> %(batch_id)s AND b.state = 'open' AND b.id IN (
    SELECT l.batch_id FROM leases l
    JOIN unnest(%(ordinals)s::bigint[], %(annotators)s::text[]) AS a (ordinal, annotator)
        ON l.ordinal = a.ordinal AND l.annotator = a.annotator
    WHERE l.project_id = %(project_id)s AND l.state = 'active')
ORDER BY b.id FOR UPDATE

-- name: let_go
-- They answered already: they are not asked again. A batch that has nothing left to ask ends.
WITH gone AS (
    UPDATE leases l SET state = 'released'
    FROM unnest(%(ordinals)s::bigint[], %(annotators)s::text[]) AS a (ordinal, annotator)
    WHERE l.batch_id = ANY(%(batch_ids)s) AND l.ordinal = a.ordinal AND l.annotator = a.annotator AND l.state = 'active'
    RETURNING l.id, l.batch_id, l.ordinal
), ended AS (
    UPDATE batches b SET state = 'released', ended_at = clock_timestamp()
    WHERE b.id IN (SELECT batch_id FROM gone)
      AND NOT EXISTS (SELECT FROM leases l WHERE l.batch_id = b.id AND l.state = 'active'
                      AND NOT EXISTS (SELECT FROM gone g WHERE g.id = l.id))
)
SELECT ordinal FROM gone

-- name: record
-- Numbers and stores the answers and remembers the response, in one statement: the counters' row is locked from here to
-- the commit, so this is the last thing a label's transaction does unless it opens a round.
WITH counted AS (
    UPDATE progress SET
        answer_seq = answer_seq + %(answers)s,
        label_count = label_count + %(training)s,
        paid_count = paid_count + %(paid)s,
        skip_count = skip_count + %(skips)s,
        revision_count = revision_count + %(revisions)s,
        settled_slots = settled_slots + %(slots)s
    WHERE project_id = %(project_id)s
    RETURNING project_id, answer_seq, label_count, paid_count, skip_count, settled_slots, change_count, requested_at_changes,
              round_number, current_round, current_model
), stored AS (
    INSERT INTO answers (project_id, ordinal, annotator, batch_id, lease_id, kind, value, note, source, state, because, seq,
                         replaces)
    SELECT c.project_id, a.ordinal, a.annotator, %(batch_id)s, a.lease_id, a.kind, a.value, a.note, a.source,
           a.state, a.because, c.answer_seq - %(answers)s + a.number,
           a.replaces
    FROM counted c CROSS JOIN unnest(
        %(ordinals)s::bigint[], %(annotators)s::text[], %(sources)s::text[], %(lease_ids)s::bigint[], %(kinds)s::text[],
        %(values)s::jsonb[], %(notes)s::text[], %(states)s::text[], %(becauses)s::text[], %(numbers)s::bigint[], %(replaced)s::bigint[]
    ) AS a (ordinal, annotator, source, lease_id, kind, value, note, state, because, number, replaces)
), remembered AS (
    INSERT INTO idempotency_keys (project_id, key, sha256, response)
    SELECT c.project_id, %(key)s, %(sha256)s, %(response)s::jsonb || jsonb_build_object('label_count', c.label_count)
    FROM counted c WHERE %(key)s::text IS NOT NULL
    RETURNING key
)
SELECT c.* FROM counted c LEFT JOIN remembered ON true

-- name: note_round
-- The remembered response also says which round the call opened.
UPDATE idempotency_keys SET response = response || jsonb_build_object('round_requested', %(number)s::integer)
WHERE project_id = %(project_id)s AND key = %(key)s
