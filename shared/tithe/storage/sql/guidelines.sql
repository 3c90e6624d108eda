-- name: newest
SELECT version, text, who, at FROM guidelines
WHERE project_id = %(project_id)s AND (%(version)s::integer IS NULL OR version = %(version)s)
ORDER BY version DESC LIMIT 1

-- name: versions
SELECT version, who, at, length(text) AS characters FROM guidelines WHERE project_id = %(project_id)s
ORDER BY version DESC LIMIT 500

-- name: add
-- Only on top of the version its writer saw: two who write at once cannot undo each other unseen.
INSERT INTO guidelines (project_id, version, text, who)
SELECT %(project_id)s, %(after)s + 1, %(text)s, %(who)s
WHERE %(after)s = (SELECT coalesce(max(version), 0) FROM guidelines WHERE project_id = %(project_id)s)
ON CONFLICT DO NOTHING RETURNING version
