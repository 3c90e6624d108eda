-- {table} and the like are put in by tithe.storage.labeled: each project's vectors are a table of their own.

-- name: read
SELECT project_id, name, dimension, epoch, seq, vectors, watermark, label_count, waiting, indexed, indexable
FROM labeled_sets WHERE project_id = %(project_id)s

-- name: be_patient
-- Another trainer may be building the index: minutes, for a large set.
SELECT set_config('lock_timeout', '600000', true), set_config('statement_timeout', '660000', true)

-- name: lock
SELECT project_id, name, dimension, epoch, seq, vectors, watermark, label_count, waiting, indexed, indexable
FROM labeled_sets WHERE project_id = %(project_id)s FOR UPDATE

-- name: make
-- A trigger makes the table.
INSERT INTO labeled_sets (project_id, dimension, indexable) VALUES (%(project_id)s, %(dimension)s, %(dimension)s <= 4000)
ON CONFLICT DO NOTHING

-- name: drop
-- A trigger drops the table.
DELETE FROM labeled_sets WHERE project_id = %(project_id)s

-- name: ordinals
SELECT coalesce(array_agg(ordinal ORDER BY ordinal), '{{}}') FROM {table}

-- name: copy_in
COPY {table} (seq, ordinal, vector) FROM STDIN WITH (FORMAT BINARY)

-- name: remove
DELETE FROM {table} WHERE ordinal = ANY(%(ordinals)s)

-- name: note
UPDATE labeled_sets SET seq = %(seq)s, vectors = %(vectors)s, watermark = %(watermark)s, label_count = %(label_count)s,
    waiting = %(waiting)s, left_out = %(left_out)s, epoch = CASE WHEN %(void)s THEN gen_random_uuid() ELSE epoch END
WHERE project_id = %(project_id)s

-- name: for_building
-- One process, as large as the graph needs: parallel builders want shared memory that containers do not have.
SELECT set_config('statement_timeout', '0', true), set_config('maintenance_work_mem', %(kilobytes)s || 'kB', true),
       set_config('max_parallel_maintenance_workers', '0', true)

-- name: build
CREATE INDEX IF NOT EXISTS {index} ON {table} USING hnsw ({indexed})

-- name: unbuild
DROP INDEX IF EXISTS {index}

-- name: note_index
UPDATE labeled_sets SET indexed = %(indexed)s, indexable = %(indexable)s WHERE project_id = %(project_id)s

-- name: page
-- COPY, because its binary form is read as one array.
COPY (SELECT seq, ordinal, vector FROM {table} WHERE seq > {after} AND seq <= {upto} ORDER BY seq LIMIT {most})
TO STDOUT WITH (FORMAT BINARY)

-- name: look_far
-- More candidates than wanted, and no iterative scan: there is no filter it would have to make good for. A table whose
-- vectors stand outside its rows looks cheaper to scan than it is.
SELECT set_config('hnsw.ef_search', %(ef_search)s::text, true), set_config('hnsw.iterative_scan', 'off', true),
       set_config('enable_seqscan', 'off', true)

-- name: look_as_before
SELECT set_config('enable_seqscan', 'on', true)

-- name: nearest
-- {order} is what the index was built on, or an expression that no index can serve: then the answer is exact.
SELECT q.at, n.ordinal, n.distance, 1 - (n.vector <=> q.vector)
FROM unnest(%(vectors)s::vector[]) WITH ORDINALITY q(vector, at)
CROSS JOIN LATERAL (
    SELECT t.ordinal, t.vector, t.vector <-> q.vector AS distance FROM {table} t ORDER BY {order} LIMIT %(candidates)s
) n
ORDER BY q.at, n.distance, n.ordinal

-- name: shown
-- Items as they are shown beside a distance, with every label that stands, in the order they came.
SELECT i.ordinal, i.external_id, left(coalesce(i.text, array_to_string(i.tokens, ' ')), %(characters)s) AS text, i.meta,
       (SELECT array_agg(a.value ORDER BY a.seq) FROM answers a
        WHERE a.project_id = i.project_id AND a.ordinal = i.ordinal AND a.state = 'counted' AND a.kind = 'label'
          AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = a.project_id AND n.replaces = a.id)) AS labels
FROM items i WHERE i.project_id = %(project_id)s AND i.ordinal = ANY(%(ordinals)s)

-- name: recall
SELECT recall_at_1, recall_at_10, distance_ratio, recall_rows AS rows, recall_vectors AS vectors, recall_at AS at
FROM labeled_sets WHERE project_id = %(project_id)s AND recall_at IS NOT NULL

-- name: note_recall
UPDATE labeled_sets SET recall_at_1 = %(recall_at_1)s, recall_at_10 = %(recall_at_10)s,
    distance_ratio = %(distance_ratio)s, recall_rows = %(rows)s, recall_vectors = %(vectors)s,
    recall_at = clock_timestamp()
WHERE project_id = %(project_id)s AND epoch = %(epoch)s
