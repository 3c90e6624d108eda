-- name: lock
-- Imports of one project take turns here: ordinals are given out gap-free under this lock.
SELECT project_id, item_count, test_count, planned_count, dimension FROM pools WHERE project_id = %(project_id)s FOR UPDATE

-- name: read
SELECT project_id, item_count, test_count, planned_count, dimension FROM pools WHERE project_id = %(project_id)s

-- name: advance
UPDATE pools SET item_count = item_count + %(items)s, test_count = test_count + %(tests)s,
    dimension = coalesce(dimension, %(dimension)s), grown_at = clock_timestamp()
WHERE project_id = %(project_id)s

-- name: stage
CREATE TEMP TABLE IF NOT EXISTS staged (
    line bigint, external_id text, digest bytea, split text, text text, tokens text[], meta jsonb,
    vector vector, value jsonb, cost integer
) ON COMMIT DELETE ROWS

-- name: copy_staged
COPY staged (line, external_id, digest, split, text, tokens, meta, vector, value, cost) FROM STDIN WITH (FORMAT BINARY)

-- name: id_clashes
-- An id that already names other content: neither new nor a duplicate.
SELECT DISTINCT ON (s.line) s.line, s.external_id FROM staged s
LEFT JOIN items i ON i.project_id = %(project_id)s AND i.external_id = s.external_id
LEFT JOIN staged t ON t.external_id = s.external_id AND t.line < s.line
WHERE i.digest <> s.digest OR t.digest <> s.digest
ORDER BY s.line

-- name: drop_lines
DELETE FROM staged WHERE line = ANY(%(lines)s)

-- name: admit
-- New content, numbered from the pool's end; of equal lines the first, but a labeled one before one without a label. The caller holds the pool's lock, so nobody else numbers.
WITH fresh AS (
    SELECT DISTINCT ON (s.digest) s.* FROM staged s
    WHERE NOT EXISTS (SELECT FROM items i WHERE i.project_id = %(project_id)s AND i.digest = s.digest)
    ORDER BY s.digest, s.value IS NULL, s.line
), numbered AS (
    SELECT f.*, %(base)s::bigint + row_number() OVER (ORDER BY f.line) - 1 AS ordinal FROM fresh f
), kept AS (
    INSERT INTO items (project_id, ordinal, external_id, digest, split, text, tokens, meta, cost)
    SELECT %(project_id)s, ordinal, external_id, digest, split, text, tokens, meta, cost FROM numbered ORDER BY ordinal
), vectors AS (
    INSERT INTO item_vectors (project_id, ordinal, vector)
    SELECT %(project_id)s, ordinal, vector FROM numbered WHERE vector IS NOT NULL ORDER BY ordinal
)
SELECT ordinal, split, value FROM numbered ORDER BY ordinal

-- name: late_labels
-- Lines whose content is known already but whose label is new: sending a file again with labels filled in works. Of two
-- lines with the same content the first counts. A label that came with a line before is not stored again, nor is one that was
-- withdrawn.
SELECT DISTINCT ON (i.ordinal) i.ordinal, i.split, s.value FROM staged s
JOIN items i ON i.project_id = %(project_id)s AND i.digest = s.digest
WHERE s.value IS NOT NULL
  AND NOT EXISTS (SELECT FROM answers a WHERE a.project_id = i.project_id AND a.ordinal = i.ordinal
                  AND a.annotator = '@import' AND a.state = 'counted'
                  AND (a.value = s.value OR a.kind <> 'withdrawn' AND NOT EXISTS (
                      SELECT FROM answers n WHERE n.project_id = a.project_id AND n.replaces = a.id)))
  AND NOT EXISTS (SELECT FROM answers a WHERE a.project_id = i.project_id AND a.ordinal = i.ordinal
                  AND a.annotator = '@import' AND a.state = 'superseded' AND a.value = s.value)
ORDER BY i.ordinal, s.line

-- name: clear_staged
DELETE FROM staged

-- name: import_start
INSERT INTO imports (project_id, state) VALUES (%(project_id)s, 'running') RETURNING id

-- name: import_count
UPDATE imports SET accepted = accepted + %(accepted)s, duplicates = duplicates + %(duplicates)s,
    rejected = rejected + %(rejected)s, touched_at = clock_timestamp()
WHERE id = %(id)s

-- name: import_end
UPDATE imports SET state = %(state)s, touched_at = clock_timestamp() WHERE id = %(id)s

-- name: import_running
SELECT count(*) FROM imports
WHERE project_id = %(project_id)s AND state = 'running' AND touched_at > clock_timestamp() - interval '30 seconds'

-- name: unplanned
-- Pools whose tail belongs to no block although nobody imports any more: an upload that was cut, a gateway that died.
SELECT p.project_id FROM pools p JOIN projects q ON q.id = p.project_id
WHERE q.deleted_at IS NULL AND p.planned_count < p.item_count
  AND p.grown_at < clock_timestamp() - make_interval(secs => %(quiet)s)

-- name: ordinals
SELECT external_id, ordinal FROM items WHERE project_id = %(project_id)s AND external_id = ANY(%(ids)s)

-- name: contents
SELECT text, tokens FROM items
WHERE project_id = %(project_id)s AND ordinal >= %(start)s AND ordinal < %(stop)s ORDER BY ordinal

-- name: contents_of
-- In the order asked for.
SELECT i.text, i.tokens FROM unnest(%(ordinals)s::bigint[]) WITH ORDINALITY AS asked (ordinal, at)
JOIN items i ON i.project_id = %(project_id)s AND i.ordinal = asked.ordinal ORDER BY asked.at

-- name: vectors
SELECT vector FROM item_vectors
WHERE project_id = %(project_id)s AND ordinal >= %(start)s AND ordinal < %(stop)s ORDER BY ordinal

-- name: closed_ordinals
-- What cannot be asked for between two ordinals: leased, answered, skipped, or held out for evaluation. What a tool holds
-- that can be told a new order is ranked with the rest.
SELECT l.ordinal FROM leases l
WHERE l.project_id = %(project_id)s AND l.ordinal >= %(start)s AND l.ordinal < %(stop)s
  AND l.state IN ('active', 'done', 'skipped')
  AND NOT (l.state = 'active' AND EXISTS (SELECT FROM batches b WHERE b.id = l.batch_id AND b.follows))
UNION
SELECT ordinal FROM items
WHERE project_id = %(project_id)s AND ordinal >= %(start)s AND ordinal < %(stop)s AND split = 'test'

-- name: test_ordinals
SELECT ordinal FROM items WHERE project_id = %(project_id)s AND split = 'test' ORDER BY ordinal

-- name: plan_block
INSERT INTO blocks (project_id, start, rows, state) VALUES (%(project_id)s, %(start)s, %(rows)s, 'planned')
ON CONFLICT DO NOTHING

-- name: planned
UPDATE pools SET planned_count = %(planned)s WHERE project_id = %(project_id)s

-- name: block
SELECT start, rows, state, path, sha256, size, dimension, words_path, words_sha256, words_size, words, encoder FROM blocks
WHERE project_id = %(project_id)s AND start = %(start)s

-- name: block_ready
UPDATE blocks SET state = 'ready', path = %(path)s, sha256 = %(sha256)s, size = %(size)s, dimension = %(dimension)s,
    words_path = %(words_path)s, words_sha256 = %(words_sha256)s, words_size = %(words_size)s, words = %(words)s,
    encoder = %(encoder)s
WHERE project_id = %(project_id)s AND start = %(start)s

-- name: forget_block
UPDATE blocks SET state = 'planned', path = NULL, sha256 = NULL, size = NULL,
    words_path = NULL, words_sha256 = NULL, words_size = NULL, words = NULL, encoder = NULL
WHERE project_id = %(project_id)s AND start = %(start)s

-- name: ready_blocks
SELECT start, rows, state, path, sha256, size, dimension, words_path, words_sha256, words_size, words, encoder FROM blocks
WHERE project_id = %(project_id)s AND state = 'ready' AND start < %(stop)s AND start + rows > %(start)s ORDER BY start

-- name: block_counts
SELECT count(*) FILTER (WHERE state = 'ready'), count(*), coalesce(sum(rows) FILTER (WHERE state = 'ready'), 0)
FROM blocks WHERE project_id = %(project_id)s

-- name: encoder_of
SELECT encoder FROM blocks
WHERE project_id = %(project_id)s AND state = 'ready' AND encoder IS NOT NULL ORDER BY start LIMIT 1

-- name: kept_states_bytes
SELECT coalesce(sum(words_size), 0)::bigint FROM blocks WHERE project_id = %(project_id)s
