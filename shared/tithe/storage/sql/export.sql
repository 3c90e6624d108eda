-- Pages, each in a transaction of its own: a slow reader of an export must not hold a snapshot for hours. Answers and
-- items are only ever added, so the highest number at the start is the snapshot: what is replaced later still stands. A page is a range of numbers, not a LIMIT:
-- its cost is the same whatever plan is chosen.

-- name: snapshot
SELECT g.answer_seq, p.item_count FROM progress g JOIN pools p ON p.project_id = g.project_id
WHERE g.project_id = %(project_id)s

-- name: answered
SELECT i.external_id, i.text, i.tokens, i.meta, i.split, a.kind, a.value, a.note, a.annotator, a.source, a.seq, a.created_at,
       i.ordinal
FROM answers a JOIN items i ON i.project_id = a.project_id AND i.ordinal = a.ordinal
WHERE a.project_id = %(project_id)s AND a.state = 'counted' AND a.seq BETWEEN %(first)s AND %(last)s
  AND (a.kind = 'label' OR a.kind = 'skip' AND %(skips)s)
  AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = %(project_id)s AND n.replaces = a.id
                  AND n.seq <= %(last_seq)s)
ORDER BY a.seq

-- name: unanswered
-- What the first part left out: items without a label, and without a skip where skips are told.
SELECT i.external_id, i.text, i.tokens, i.meta, i.split, NULL::text AS kind, NULL::jsonb AS value, NULL::text AS note,
       NULL::text AS annotator, NULL::text AS source, NULL::bigint AS seq, NULL::timestamptz AS created_at, i.ordinal
FROM items i
WHERE i.project_id = %(project_id)s AND i.ordinal BETWEEN %(first)s AND %(last)s
  AND NOT EXISTS (SELECT FROM answers a WHERE a.project_id = i.project_id AND a.ordinal = i.ordinal AND a.state = 'counted'
                  AND a.seq <= %(last_seq)s AND (a.kind = 'label' OR a.kind = 'skip' AND %(skips)s)
                  AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = a.project_id AND n.replaces = a.id
                                  AND n.seq <= %(last_seq)s))
ORDER BY i.ordinal
