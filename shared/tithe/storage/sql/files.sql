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
