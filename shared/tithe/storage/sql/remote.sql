-- Items held for a tool, where they are there, and what people said of them.

-- name: open_batch
-- A tool holds one batch per project, kept as long as the tool is heard of; its items come and go.
INSERT INTO batches (project_id, annotator, round_id, state, expires_at, connector_id, follows)
SELECT %(project_id)s, %(holder)s, p.current_round, 'open', clock_timestamp() + make_interval(secs => %(hold_seconds)s),
       %(connector_id)s, %(follows)s
FROM progress p WHERE p.project_id = %(project_id)s
ON CONFLICT (project_id, annotator) WHERE state = 'open' DO NOTHING

-- name: lock_batch
SELECT id FROM batches WHERE project_id = %(project_id)s AND annotator = %(holder)s AND state = 'open' FOR UPDATE

-- name: best
-- What the tool is to ask for: the best of the current round that are its own or nobody's, with where they are in the tool.
SELECT r.ordinal, r.rank, r.score, r.chosen_by, r.why, i.external_id, i.text, i.tokens, i.meta, i.cost,
       t.id AS task_id, t.key, t.task, t.state,
       EXISTS (SELECT FROM leases l WHERE l.batch_id = %(batch_id)s AND l.ordinal = r.ordinal AND l.state = 'active') AS held
FROM ready r JOIN items i ON i.project_id = r.project_id AND i.ordinal = r.ordinal
LEFT JOIN remote_tasks t ON t.connector_id = %(connector_id)s AND t.ordinal = r.ordinal
    AND t.state IN ('intended', 'there', 'parked', 'answered')
WHERE r.project_id = %(project_id)s
  AND r.round_id = (SELECT current_round FROM progress WHERE project_id = %(project_id)s)
  AND NOT EXISTS (SELECT FROM leases l WHERE l.project_id = r.project_id AND l.ordinal = r.ordinal
                  AND l.state IN ('active', 'done', 'skipped')
                  AND NOT EXISTS (SELECT FROM batches b WHERE b.id = l.batch_id AND b.connector_id = %(connector_id)s) OFFSET 0)
  AND (r.open_slots > 0 OR EXISTS (SELECT FROM leases l WHERE l.batch_id = %(batch_id)s AND l.ordinal = r.ordinal
                                   AND l.state = 'active'))
  AND NOT EXISTS (SELECT FROM remote_tasks x WHERE x.connector_id = %(connector_id)s AND x.ordinal = r.ordinal
                  AND x.state = 'rejected')
  -- What somebody began to answer there is asked for first anyway, and is no part of the window.
  AND NOT EXISTS (SELECT FROM remote_annotations a WHERE a.task_id = t.id AND a.state <> 'removed')
ORDER BY r.rank LIMIT %(window)s

-- name: lock_ready
-- Taken before leases are, as hand-outs do: so the two never wait for each other in a circle.
SELECT r.ordinal FROM ready r
WHERE r.project_id = %(project_id)s AND r.ordinal = ANY(%(ordinals)s) AND r.open_slots >= %(slots)s
  AND r.round_id = (SELECT current_round FROM progress WHERE project_id = %(project_id)s)
ORDER BY r.rank FOR UPDATE SKIP LOCKED

-- name: lock_ready_row
SELECT r.ordinal FROM ready r
WHERE r.project_id = %(project_id)s AND r.ordinal = %(ordinal)s
  AND r.round_id = (SELECT current_round FROM progress WHERE project_id = %(project_id)s) FOR UPDATE

-- name: lease
-- Every opinion of an item is the tool's, or none: two tools never ask for the same.
INSERT INTO leases (project_id, ordinal, slot, annotator, batch_id, state, position, score, chosen_by, why)
SELECT %(project_id)s, c.ordinal, s.slot, CASE s.slot WHEN 1 THEN %(holder)s ELSE %(holder)s || '#' || s.slot END,
       %(batch_id)s, 'active', c.rank, c.score, c.chosen_by, c.why
FROM unnest(%(ordinals)s::bigint[], %(ranks)s::integer[], %(scores)s::double precision[], %(chosen_by)s::text[],
            %(whys)s::jsonb[]) AS c (ordinal, rank, score, chosen_by, why)
CROSS JOIN generate_series(1, %(overlap)s::integer) AS s (slot)
WHERE NOT EXISTS (
    SELECT FROM leases l LEFT JOIN batches b ON b.id = l.batch_id
    WHERE l.project_id = %(project_id)s AND l.ordinal = c.ordinal AND l.state IN ('active', 'done', 'skipped')
      AND b.connector_id IS DISTINCT FROM %(connector_id)s)
ON CONFLICT DO NOTHING
RETURNING ordinal

-- name: held
-- What the tool holds: how many opinions of each item are waited for.
SELECT l.ordinal, count(*) FROM leases l WHERE l.batch_id = %(batch_id)s AND l.state = 'active' GROUP BY l.ordinal

-- name: release
UPDATE leases SET state = 'released' WHERE batch_id = %(batch_id)s AND ordinal = ANY(%(ordinals)s) AND state = 'active'
RETURNING ordinal

-- name: settle
-- One of the tool's leases of the item becomes the lease of the person who answered.
UPDATE leases SET state = %(state)s, annotator = %(annotator)s
WHERE id = (SELECT id FROM leases WHERE batch_id = %(batch_id)s AND ordinal = %(ordinal)s AND state = 'active'
            ORDER BY slot LIMIT 1)
  AND NOT EXISTS (SELECT FROM leases p JOIN batches b ON b.id = %(batch_id)s AND p.project_id = b.project_id
                  WHERE p.ordinal = %(ordinal)s AND p.annotator = %(annotator)s AND p.state IN ('active', 'done', 'skipped'))
RETURNING id

-- name: settle_free
-- An answer to an item that is not held for the tool (any more): good if a slot is free. Whether it is, the indexes decide.
INSERT INTO leases (project_id, ordinal, slot, annotator, batch_id, state, chosen_by, why)
SELECT %(project_id)s, %(ordinal)s, free.slot, %(annotator)s, NULL, %(state)s, %(chosen_by)s, '{}'
FROM (
    SELECT min(s) AS slot FROM generate_series(1, %(overlap)s::integer) s
    WHERE NOT EXISTS (SELECT FROM leases o WHERE o.project_id = %(project_id)s AND o.ordinal = %(ordinal)s
                      AND (o.slot = s OR o.chosen_by = 'import') AND o.state IN ('active', 'done', 'skipped'))
) free
WHERE free.slot IS NOT NULL
ON CONFLICT DO NOTHING
RETURNING id

-- name: intend
-- The attempt is counted, and the connection is in it: a key never comes twice, whoever connects to the same project again.
INSERT INTO remote_tasks (connector_id, project_id, ordinal, key, own, state)
SELECT %(connector_id)s, %(project_id)s, o.ordinal,
       left(%(connector_id)s::text, 8) || '-' || o.ordinal || '.' || (SELECT count(*) + 1 FROM remote_tasks t WHERE t.connector_id = %(connector_id)s AND t.ordinal = o.ordinal),
       true, 'intended'
FROM unnest(%(ordinals)s::bigint[]) AS o (ordinal)
ON CONFLICT DO NOTHING

-- name: adopt
INSERT INTO remote_tasks (connector_id, project_id, ordinal, key, task, own, state, pushed_at)
SELECT %(connector_id)s, %(project_id)s, a.ordinal, '~' || a.task, a.task, false,
       CASE WHEN EXISTS (SELECT FROM remote_tasks t WHERE t.connector_id = %(connector_id)s AND t.ordinal = a.ordinal
                         AND t.state IN ('intended', 'there', 'parked', 'answered'))
            OR row_number() OVER (PARTITION BY a.ordinal ORDER BY a.at) > 1 THEN 'twin' ELSE 'parked' END,
       clock_timestamp()
FROM unnest(%(ordinals)s::bigint[], %(tasks)s::text[]) WITH ORDINALITY AS a (ordinal, task, at)
ON CONFLICT DO NOTHING

-- name: unpark
UPDATE remote_tasks SET state = CASE WHEN state IN ('parked', 'answered') THEN 'there' ELSE state END, out_since = NULL
WHERE id = ANY(%(ids)s)

-- name: intended
SELECT t.id, t.ordinal, t.key, t.task, t.own, t.state, i.external_id, i.text, i.tokens, i.meta, r.rank, r.why
FROM remote_tasks t JOIN items i ON i.project_id = t.project_id AND i.ordinal = t.ordinal
LEFT JOIN ready r ON r.project_id = t.project_id AND r.ordinal = t.ordinal
    AND r.round_id = (SELECT current_round FROM progress WHERE project_id = t.project_id)
WHERE t.connector_id = %(connector_id)s AND t.state = 'intended'
ORDER BY r.rank NULLS LAST, t.id LIMIT %(limit)s

-- name: parcel
-- These, whether or not they are known to have arrived, in the order they were chosen in.
SELECT t.id, t.ordinal, t.key, t.task, t.own, t.state, i.external_id, i.text, i.tokens, i.meta, r.rank, r.why
FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS p (id, at)
JOIN remote_tasks t ON t.id = p.id AND t.connector_id = %(connector_id)s AND t.state IN ('intended', 'there', 'answered')
JOIN items i ON i.project_id = t.project_id AND i.ordinal = t.ordinal
LEFT JOIN ready r ON r.project_id = t.project_id AND r.ordinal = t.ordinal
    AND r.round_id = (SELECT current_round FROM progress WHERE project_id = t.project_id)
ORDER BY p.at

-- name: drop_unheld
-- Chosen, not told yet, and somebody else's by now: the tool is not told at all.
UPDATE remote_tasks t SET state = 'gone', reason = 'not held any more when it was to go'
WHERE t.connector_id = %(connector_id)s AND t.state = 'intended'
  AND NOT EXISTS (SELECT FROM leases l WHERE l.batch_id = %(batch_id)s AND l.ordinal = t.ordinal AND l.state = 'active')

-- name: give_up
-- An answer that does not count was not mended for so long: the item is for whoever asks next. It counts once it is mended,
-- if nobody was faster.
UPDATE remote_tasks t SET state = 'parked'
WHERE t.connector_id = %(connector_id)s AND t.state = 'there'
  AND EXISTS (SELECT FROM remote_annotations a WHERE a.task_id = t.id AND a.state = 'quarantined')
  AND NOT EXISTS (SELECT FROM remote_annotations a WHERE a.task_id = t.id AND a.state <> 'removed'
                  AND (a.state <> 'quarantined' OR a.seen_at > clock_timestamp() - make_interval(secs => %(grace)s)))
RETURNING t.ordinal

-- name: arrived
UPDATE remote_tasks t SET task = a.task, state = a.state, reason = a.reason, pushed_at = clock_timestamp()
FROM unnest(%(keys)s::text[], %(tasks)s::text[], %(states)s::text[], %(reasons)s::text[]) AS a (key, task, state, reason)
WHERE t.connector_id = %(connector_id)s AND t.key = a.key AND t.state = 'intended'

-- name: blind_tasks
-- Tasks whose items are asked without the model's opinion.
SELECT t.task FROM remote_tasks t
WHERE t.connector_id = %(connector_id)s AND t.task = ANY(%(tasks)s)
  AND EXISTS (SELECT FROM leases l WHERE l.project_id = t.project_id AND l.ordinal = t.ordinal
              AND l.state IN ('active', 'done', 'skipped') AND (l.why ->> 'blind')::boolean)

-- name: there
-- Every task the tool asks for and that is not answered in full: whether it is held for the tool, whether anybody said
-- something of it, and whether it has not been among the best for so long that nobody can have it open any more.
SELECT t.id, t.ordinal, t.key, t.task, t.own, t.state, t.rank, t.out_since,
       EXISTS (SELECT FROM leases l WHERE l.batch_id = %(batch_id)s AND l.ordinal = t.ordinal AND l.state = 'active') AS held,
       EXISTS (SELECT FROM remote_annotations a WHERE a.task_id = t.id AND a.state <> 'removed') AS said,
       coalesce(t.out_since < clock_timestamp() - make_interval(secs => %(grace)s), false) AS out_for_long
FROM remote_tasks t WHERE t.connector_id = %(connector_id)s AND t.state = 'there' ORDER BY t.id

-- name: find
-- Held: two readings of one task take turns.
SELECT t.id, t.ordinal, t.key, t.task, t.own, t.state, t.rank, t.out_since, i.split, i.cost,
       CASE WHEN t.own THEN NULL ELSE i.text END AS text
FROM remote_tasks t JOIN items i ON i.project_id = t.project_id AND i.ordinal = t.ordinal
WHERE t.connector_id = %(connector_id)s AND (t.task = %(task)s OR (t.key = %(key)s AND t.task IS NULL))
ORDER BY t.task NULLS LAST LIMIT 1 FOR UPDATE OF t

-- name: twin
-- A second task with our key: imported twice there, or copied. It is known by a name of its own.
INSERT INTO remote_tasks (connector_id, project_id, ordinal, key, task, own, state, pushed_at)
SELECT t.connector_id, t.project_id, t.ordinal, '~' || %(task)s, %(task)s, false, 'twin', clock_timestamp()
FROM remote_tasks t WHERE t.connector_id = %(connector_id)s AND t.key = %(key)s AND t.task IS NOT NULL
ON CONFLICT DO NOTHING

-- name: other_task
-- Another task of the tool that asks for the same item.
SELECT true FROM remote_tasks
WHERE connector_id = %(connector_id)s AND ordinal = %(ordinal)s AND id <> %(id)s AND state IN ('intended', 'there', 'parked', 'answered')

-- name: note_task
UPDATE remote_tasks SET task = %(task)s, state = %(state)s, reason = %(reason)s, pushed_at = coalesce(pushed_at, clock_timestamp())
WHERE id = %(id)s

-- name: out
-- Not among the best any more, since now or since it was first noticed.
UPDATE remote_tasks SET out_since = CASE WHEN %(anew)s THEN clock_timestamp() ELSE coalesce(out_since, clock_timestamp()) END
WHERE id = ANY(%(ids)s) AND state = 'there'

-- name: annotations
SELECT annotation, annotator, digest, kind, value, state, because, answer_id FROM remote_annotations
WHERE task_id = %(task_id)s ORDER BY given_at NULLS LAST, annotation FOR UPDATE

-- name: note_annotation
INSERT INTO remote_annotations (connector_id, annotation, task_id, annotator, digest, kind, value, raw, state, because, answer_id,
                                given_at, counted_at)
VALUES (%(connector_id)s, %(annotation)s, %(task_id)s, %(annotator)s, %(digest)s, %(kind)s, %(value)s, %(raw)s, %(state)s,
        %(because)s, %(answer_id)s, %(given_at)s, CASE WHEN %(state)s = 'counted' AND %(live)s THEN clock_timestamp() END)
ON CONFLICT (connector_id, annotation) DO UPDATE SET
    task_id = excluded.task_id, annotator = excluded.annotator, digest = excluded.digest, kind = excluded.kind,
    value = excluded.value, raw = excluded.raw, state = excluded.state, because = excluded.because,
    answer_id = excluded.answer_id, given_at = excluded.given_at, seen_at = clock_timestamp(),
    counted_at = coalesce(excluded.counted_at, remote_annotations.counted_at)

-- name: missing
-- Tasks of ours that were not among those the tool says it has.
SELECT task FROM remote_tasks
WHERE connector_id = %(connector_id)s AND state IN ('there', 'parked', 'answered', 'twin') AND task IS NOT NULL AND NOT task = ANY(%(seen)s)

-- name: took_back
UPDATE remote_tasks SET state = CASE WHEN id = ANY(%(kept)s) THEN 'parked' ELSE 'gone' END, out_since = NULL
WHERE id = ANY(%(ids)s)

-- name: mark_removed
UPDATE remote_annotations SET state = 'removed', answer_id = NULL, seen_at = clock_timestamp()
WHERE connector_id = %(connector_id)s AND annotation = %(annotation)s

-- name: hold_again
-- An opinion was taken back and the task is still there: it is waited for again, chosen as it was.
INSERT INTO leases (project_id, ordinal, slot, annotator, batch_id, state, position, score, chosen_by, why)
SELECT l.project_id, l.ordinal, free.slot, CASE free.slot WHEN 1 THEN %(holder)s ELSE %(holder)s || '#' || free.slot END,
       %(batch_id)s, 'active', l.position, l.score, l.chosen_by, l.why
FROM (SELECT * FROM leases WHERE project_id = %(project_id)s AND ordinal = %(ordinal)s ORDER BY id DESC LIMIT 1) l
CROSS JOIN LATERAL (
    SELECT min(s) AS slot FROM generate_series(1, %(overlap)s::integer) s
    WHERE NOT EXISTS (SELECT FROM leases o WHERE o.project_id = l.project_id AND o.ordinal = l.ordinal
                      AND (o.slot = s OR o.chosen_by = 'import') AND o.state IN ('active', 'done', 'skipped'))
) free
WHERE free.slot IS NOT NULL
ON CONFLICT DO NOTHING
RETURNING id

-- name: ordinals_of
SELECT digest, ordinal FROM items WHERE project_id = %(project_id)s AND digest = ANY(%(digests)s)

-- name: made
-- What will be charged, or was: every task that is there, and of those that are gone the answered ones.
SELECT count(*) FROM remote_tasks t
WHERE t.connector_id = %(connector_id)s AND t.own
  AND (t.state IN ('intended', 'there', 'parked', 'answered')
       OR (t.state = 'gone' AND EXISTS (SELECT FROM remote_annotations a WHERE a.task_id = t.id)))

-- name: answered
SELECT count(*) FROM remote_tasks t
WHERE t.connector_id = %(connector_id)s AND t.own AND EXISTS (SELECT FROM remote_annotations a WHERE a.task_id = t.id)

-- name: place
-- Where a task stands once what is said of it is known: waited for, or answered in full.
UPDATE remote_tasks t SET state = CASE
    WHEN EXISTS (SELECT FROM leases l WHERE l.batch_id = %(batch_id)s AND l.ordinal = t.ordinal AND l.state = 'active')
        THEN CASE t.state WHEN 'answered' THEN 'there' ELSE t.state END
    WHEN EXISTS (SELECT FROM remote_annotations a WHERE a.task_id = t.id AND a.state IN ('counted', 'extra')) THEN 'answered'
    ELSE CASE t.state WHEN 'answered' THEN 'parked' ELSE t.state END END
WHERE t.id = %(id)s AND t.state IN ('there', 'parked', 'answered')

-- name: digests
-- What is known of these tasks, so that what did not change need not be looked at.
SELECT t.task, t.key, t.own, t.state, coalesce(a.said, '{}') AS said FROM remote_tasks t
LEFT JOIN LATERAL (
    SELECT jsonb_object_agg(n.annotation, encode(n.digest, 'hex')) FILTER (WHERE n.state IN ('counted', 'extra')) AS said,
           bool_or(n.state = 'quarantined') AS apart
    FROM remote_annotations n WHERE n.task_id = t.id AND n.state <> 'removed'
) a ON true
WHERE t.connector_id = %(connector_id)s AND t.task = ANY(%(tasks)s) AND NOT coalesce(a.apart, false)

-- name: purge_annotations
DELETE FROM remote_annotations WHERE ctid = ANY (ARRAY(
    SELECT a.ctid FROM remote_annotations a WHERE a.connector_id = %(connector_id)s LIMIT %(rows)s))

-- name: purge_tasks
DELETE FROM remote_tasks WHERE ctid = ANY (ARRAY(
    SELECT t.ctid FROM remote_tasks t WHERE t.connector_id = %(connector_id)s LIMIT %(rows)s))

-- name: detach
UPDATE remote_tasks SET task = NULL, state = 'gone', reason = 'another task has its id'
WHERE connector_id = %(connector_id)s AND task = ANY(%(tasks)s) AND NOT key = ANY(%(keys)s)
RETURNING ordinal

-- name: elsewhere
SELECT annotation FROM remote_annotations
WHERE connector_id = %(connector_id)s AND annotation = ANY(%(annotations)s) AND task_id <> %(task_id)s AND state <> 'removed'

-- name: claimed
SELECT true FROM remote_annotations WHERE answer_id = %(answer_id)s AND state = 'counted' LIMIT 1
