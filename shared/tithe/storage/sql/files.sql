-- name: all
SELECT b.project_id, b.path, b.sha256 FROM blocks b JOIN projects q ON q.id = b.project_id AND q.deleted_at IS NULL
WHERE b.state = 'ready'
UNION ALL
SELECT b.project_id, b.words_path, b.words_sha256 FROM blocks b
JOIN projects q ON q.id = b.project_id AND q.deleted_at IS NULL
WHERE b.state = 'ready' AND b.words_path IS NOT NULL
UNION ALL
SELECT m.project_id, m.path, m.sha256 FROM models m JOIN progress p ON p.current_model = m.id
JOIN projects q ON q.id = p.project_id AND q.deleted_at IS NULL
ORDER BY 2

-- name: needed
SELECT said_path FROM measurements WHERE project_id = %(project_id)s AND said_path = ANY(%(keys)s)
UNION ALL
SELECT path FROM blocks WHERE project_id = %(project_id)s AND path = ANY(%(keys)s)
UNION ALL
SELECT words_path FROM blocks WHERE project_id = %(project_id)s AND words_path = ANY(%(keys)s)
UNION ALL
SELECT m.path FROM models m WHERE m.project_id = %(project_id)s AND m.path = ANY(%(keys)s) AND (
    NOT EXISTS (SELECT FROM models n WHERE n.project_id = m.project_id AND n.version > m.version
                AND n.created_at < clock_timestamp() - make_interval(secs => %(superseded)s))
    OR EXISTS (SELECT FROM progress p WHERE p.project_id = m.project_id AND p.current_model = m.id)
    OR EXISTS (SELECT FROM rounds r WHERE r.project_id = m.project_id AND r.model_id = m.id
               AND r.state IN ('requested', 'training', 'scoring', 'selecting'))
)
