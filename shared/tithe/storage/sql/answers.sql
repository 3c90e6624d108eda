-- name: progress
SELECT project_id, answer_seq, label_count, paid_count, skip_count, settled_slots, requested_at_labels, round_number,
       current_round, current_model
FROM progress WHERE project_id = %(project_id)s

-- name: lock_progress
SELECT project_id, answer_seq, label_count, paid_count, skip_count, settled_slots, requested_at_labels, round_number,
       current_round, current_model
FROM progress WHERE project_id = %(project_id)s FOR UPDATE

-- name: earlier
-- What this annotator said of these items before.
SELECT ordinal, kind, value FROM answers
WHERE project_id = %(project_id)s AND ordinal = ANY(%(ordinals)s) AND annotator = %(annotator)s AND state = 'counted'

-- name: training_set
-- Counted labels up to the watermark, in sequence: the same watermark gives the same rows, whenever it is asked.
SELECT a.ordinal, a.value FROM answers a JOIN items i ON i.project_id = a.project_id AND i.ordinal = a.ordinal
WHERE a.project_id = %(project_id)s AND a.state = 'counted' AND a.kind = 'label' AND a.seq <= %(watermark)s
  AND i.split = %(split)s
ORDER BY a.seq

-- name: export
SELECT i.external_id, i.text, i.tokens, i.meta, i.split, a.kind, a.value, a.note, a.annotator, a.source, a.seq, a.created_at,
       i.ordinal
FROM answers a JOIN items i ON i.project_id = a.project_id AND i.ordinal = a.ordinal
WHERE a.project_id = %(project_id)s AND a.state = 'counted' AND (a.kind = 'label' OR %(skips)s)
ORDER BY a.seq

-- name: class_counts
SELECT v.class, count(*) FROM answers a
CROSS JOIN LATERAL (
    SELECT CASE jsonb_typeof(a.value) WHEN 'string' THEN a.value #>> '{}' END AS class WHERE jsonb_typeof(a.value) = 'string'
    UNION ALL
    SELECT CASE jsonb_typeof(e) WHEN 'string' THEN e #>> '{}' ELSE e ->> 'label' END
    FROM jsonb_array_elements(CASE jsonb_typeof(a.value) WHEN 'array' THEN a.value ELSE '[]' END) e
) v
WHERE a.project_id = %(project_id)s AND a.state = 'counted' AND a.kind = 'label'
GROUP BY v.class ORDER BY count(*) DESC, v.class

-- name: annotators
SELECT annotator, count(*) FILTER (WHERE kind = 'label'), count(*) FILTER (WHERE kind = 'skip'), max(created_at)
FROM answers WHERE project_id = %(project_id)s AND state = 'counted' AND source = 'annotator'
GROUP BY annotator ORDER BY annotator

-- name: forget
DELETE FROM idempotency_keys WHERE created_at < clock_timestamp() - make_interval(days => %(days)s)
