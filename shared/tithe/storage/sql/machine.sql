-- name: create
-- The partial unique index lets one run label at a time: of two requests at once the second gets no row.
INSERT INTO machine_runs (project_id, model_id, error, certainty, audit_size, preview, test_labels, pool_count)
SELECT %(project_id)s, %(model_id)s, %(error)s, %(certainty)s, %(audit_size)s, %(preview)s, %(test_labels)s, o.item_count
FROM pools o WHERE o.project_id = %(project_id)s
ON CONFLICT DO NOTHING
RETURNING id

-- name: get
SELECT r.id, r.project_id, r.model_id, m.version AS model_version, r.state, r.error, r.certainty, r.audit_size, r.preview,
       r.test_labels, r.threshold, r.known, r.above, r.wrong, r.share, r.because, r.pool_count, r.next_ordinal, r.considered,
       r.labeled, r.created_at, r.labeled_at, r.ended_at
FROM machine_runs r JOIN models m ON m.id = r.model_id
WHERE r.id = %(id)s AND (%(project_id)s::uuid IS NULL OR r.project_id = %(project_id)s)

-- name: list
SELECT r.id, r.project_id, r.model_id, m.version AS model_version, r.state, r.error, r.certainty, r.audit_size, r.preview,
       r.test_labels, r.threshold, r.known, r.above, r.wrong, r.share, r.because, r.pool_count, r.next_ordinal, r.considered,
       r.labeled, r.created_at, r.labeled_at, r.ended_at
FROM machine_runs r JOIN models m ON m.id = r.model_id
WHERE r.project_id = %(project_id)s ORDER BY r.created_at DESC, r.id LIMIT %(limit)s

-- name: calibrated
UPDATE machine_runs
SET threshold = %(threshold)s, known = %(known)s, above = %(above)s, wrong = %(wrong)s, share = %(share)s
WHERE id = %(id)s AND state = 'labeling'

-- name: answered_ordinals
-- What no machine labels: items that somebody answered or skipped, and those held out for evaluation.
SELECT l.ordinal FROM leases l
WHERE l.project_id = %(project_id)s AND l.ordinal >= %(start)s AND l.ordinal < %(stop)s AND l.state IN ('done', 'skipped')
UNION
SELECT ordinal FROM items
WHERE project_id = %(project_id)s AND ordinal >= %(start)s AND ordinal < %(stop)s AND split = 'test'

-- name: copy
COPY machine_labels (run_id, ordinal, value, confidence) FROM STDIN

-- name: advance
-- Only from where the caller found it: of two workers one writes each stretch, and a run that was withdrawn gets no more.
UPDATE machine_runs
SET next_ordinal = %(stop)s, considered = considered + %(considered)s, labeled = labeled + %(labeled)s
WHERE id = %(id)s AND state = 'labeling' AND next_ordinal = %(start)s

-- name: ordinals
SELECT ordinal FROM machine_labels WHERE run_id = %(id)s

-- name: held
SELECT ordinal FROM leases WHERE project_id = %(project_id)s AND state = 'active'

-- name: draw_audit
UPDATE machine_labels l SET audit = a.place
FROM unnest(%(ordinals)s::bigint[]) WITH ORDINALITY AS a (ordinal, place)
WHERE l.run_id = %(id)s AND l.ordinal = a.ordinal

-- name: to_auditing
UPDATE machine_runs
SET state = 'auditing', labeled_at = clock_timestamp(), share = labeled::double precision / greatest(1, considered)
WHERE id = %(id)s AND state = 'labeling'

-- name: end
UPDATE machine_runs SET state = %(state)s, because = %(because)s, ended_at = clock_timestamp()
WHERE id = %(id)s AND state = ANY(%(from_states)s)

-- name: settle
-- A run whose audit is answered ends; one whose answers were taken back goes on.
UPDATE machine_runs
SET state = %(state)s, ended_at = CASE WHEN %(state)s <> 'auditing' THEN clock_timestamp() END
WHERE id = %(id)s AND state IN ('auditing', 'accepted', 'failed') AND state <> %(state)s

-- name: audit
-- The sample in its order, with whatever people say of each item now: a label a row, or none.
SELECT l.ordinal, l.value, a.value AS said, a.kind
FROM machine_labels l JOIN machine_runs r ON r.id = l.run_id
LEFT JOIN answers a ON a.project_id = r.project_id AND a.ordinal = l.ordinal AND a.state = 'counted' AND a.kind <> 'withdrawn'
    AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = a.project_id AND n.replaces = a.id)
WHERE l.run_id = %(id)s AND l.audit IS NOT NULL ORDER BY l.audit, a.seq

-- name: audits_due
-- Nobody holds them and nobody answered them. In the order of the draw, the oldest run's first.
SELECT l.ordinal FROM machine_runs r JOIN machine_labels l ON l.run_id = r.id AND l.audit IS NOT NULL
WHERE r.project_id = %(project_id)s AND r.state = 'auditing'
  AND NOT EXISTS (SELECT FROM leases s WHERE s.project_id = r.project_id AND s.ordinal = l.ordinal
                  AND s.state IN ('active', 'done', 'skipped'))
ORDER BY r.created_at, l.audit LIMIT %(limit)s

-- name: leave_queue
-- A run's audit is not asked for any more.
DELETE FROM ready y USING machine_runs r, machine_labels l
WHERE r.id = %(id)s AND l.run_id = r.id AND l.audit IS NOT NULL
  AND y.project_id = r.project_id AND y.ordinal = l.ordinal AND y.chosen_by = 'audit'

-- name: export
-- What a person said by then is the person's, a skip too: no machine label stands beside it.
SELECT i.external_id, i.text, i.tokens, i.meta, l.value, l.confidence, l.ordinal
FROM machine_labels l JOIN items i ON i.project_id = %(project_id)s AND i.ordinal = l.ordinal
WHERE l.run_id = %(id)s AND l.ordinal > %(after)s
  AND NOT EXISTS (SELECT FROM answers a WHERE a.project_id = %(project_id)s AND a.ordinal = l.ordinal AND a.state = 'counted'
                  AND a.seq <= %(last_seq)s AND a.kind <> 'withdrawn'
                  AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = a.project_id AND n.replaces = a.id
                                  AND n.seq <= %(last_seq)s))
ORDER BY l.ordinal LIMIT %(limit)s
