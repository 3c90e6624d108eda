-- name: read
SELECT start, rows, block_sha256, epoch, upto, path, sha256, position FROM block_minima
WHERE project_id = %(project_id)s AND start = ANY(%(starts)s) ORDER BY start

-- name: take_turns
-- So that of two workers who each take their blocks out of an old file the second sees that nothing points at it any more.
SELECT pg_advisory_xact_lock(hashtextextended(%(project_id)s::text, 8))

-- name: keep
-- Never back: what a slower worker brings of the same set is older. Of another set than the present one it is void.
INSERT INTO block_minima (project_id, start, rows, block_sha256, epoch, upto, path, sha256, position)
SELECT s.project_id, n.start, n.rows, n.block_sha256, s.epoch, %(upto)s, %(path)s, %(sha256)s, n.position
FROM labeled_sets s
CROSS JOIN unnest(%(starts)s::bigint[], %(rows)s::integer[], %(block_sha256s)s::text[], %(positions)s::bigint[])
     AS n (start, rows, block_sha256, position)
WHERE s.project_id = %(project_id)s AND s.epoch = %(epoch)s ORDER BY n.start
ON CONFLICT (project_id, start) DO UPDATE
SET rows = excluded.rows, block_sha256 = excluded.block_sha256, epoch = excluded.epoch, upto = excluded.upto,
    path = excluded.path, sha256 = excluded.sha256, position = excluded.position
WHERE block_minima.epoch <> excluded.epoch OR block_minima.block_sha256 <> excluded.block_sha256
   OR block_minima.upto <= excluded.upto

-- name: unused
SELECT p.path FROM unnest(%(paths)s::text[]) p(path)
WHERE NOT EXISTS (SELECT FROM block_minima m WHERE m.project_id = %(project_id)s AND m.path = p.path)
