-- An answer stands while it counts and no other takes its place; at a watermark, while none up to there does. The index of
-- those that take a place is small: looking it up costs little where nothing was corrected.

-- name: progress
SELECT project_id, answer_seq, label_count, paid_count, skip_count, settled_slots, change_count, requested_at_changes,
       round_number, current_round, current_model
FROM progress WHERE project_id = %(project_id)s

-- name: lock_progress
SELECT project_id, answer_seq, label_count, paid_count, skip_count, settled_slots, change_count, requested_at_changes,
       round_number, current_round, current_model
FROM progress WHERE project_id = %(project_id)s FOR UPDATE

-- name: standing
-- With the lease that each settled; an answer of an item held out has none, nor has one that was withdrawn.
SELECT a.id AS answer_id, a.ordinal, a.annotator, a.kind, a.value, l.id AS lease_id, i.cost, a.source,
       i.split = 'test' AS held_out
FROM answers a JOIN items i ON i.project_id = a.project_id AND i.ordinal = a.ordinal
LEFT JOIN leases l ON l.project_id = a.project_id AND l.ordinal = a.ordinal AND l.annotator = a.annotator
    AND l.state IN ('done', 'skipped')
WHERE a.project_id = %(project_id)s AND a.ordinal = ANY(%(ordinals)s) AND a.state = 'counted'
  AND (%(annotators)s::text[] IS NULL OR a.annotator = ANY(%(annotators)s))
  AND (%(withdrawn)s OR a.kind <> 'withdrawn')
  AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = a.project_id AND n.replaces = a.id)
ORDER BY a.seq

-- name: still_stands
SELECT EXISTS (SELECT FROM answers a WHERE a.id = %(answer_id)s AND a.project_id = %(project_id)s AND a.state = 'counted'
               AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = a.project_id AND n.replaces = a.id))

-- name: training_set
-- Labels that stand at the watermark, in sequence: the same watermark gives the same rows, whenever it is asked.
SELECT a.ordinal, a.value FROM answers a JOIN items i ON i.project_id = a.project_id AND i.ordinal = a.ordinal
WHERE a.project_id = %(project_id)s AND a.state = 'counted' AND a.kind = 'label' AND a.seq <= %(watermark)s
  AND i.split = %(split)s
  AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = %(project_id)s AND n.replaces = a.id
                  AND n.seq <= %(watermark)s)
ORDER BY a.seq

-- name: export
SELECT i.external_id, i.text, i.tokens, i.meta, i.split, a.kind, a.value, a.note, a.annotator, a.source, a.seq, a.created_at,
       i.ordinal
FROM answers a JOIN items i ON i.project_id = a.project_id AND i.ordinal = a.ordinal
WHERE a.project_id = %(project_id)s AND a.state = 'counted' AND (a.kind = 'label' OR a.kind = 'skip' AND %(skips)s)
  AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = %(project_id)s AND n.replaces = a.id)
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
  AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = %(project_id)s AND n.replaces = a.id)
GROUP BY v.class ORDER BY count(*) DESC, v.class

-- name: annotators
SELECT a.annotator, count(*) FILTER (WHERE a.kind = 'label'), count(*) FILTER (WHERE a.kind = 'skip'), max(a.created_at)
FROM answers a WHERE a.project_id = %(project_id)s AND a.state = 'counted' AND a.source = 'annotator'
  AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = %(project_id)s AND n.replaces = a.id)
GROUP BY a.annotator ORDER BY a.annotator

-- name: paid_labels
SELECT count(*) FROM answers a
WHERE a.project_id = %(project_id)s AND a.state = 'counted' AND a.kind = 'label' AND a.source = 'annotator'
  AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = %(project_id)s AND n.replaces = a.id)

-- name: forget
DELETE FROM idempotency_keys WHERE created_at < clock_timestamp() - make_interval(days => %(days)s)
