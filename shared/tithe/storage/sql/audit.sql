-- name: note
INSERT INTO audit (project_id, who, what, details) VALUES (%(project_id)s, %(who)s, %(what)s, %(details)s)

-- name: page
-- Newest first. `project_id` NULL: of everything.
SELECT id, at, project_id, who, what, details FROM audit
WHERE (%(project_id)s::uuid IS NULL OR project_id = %(project_id)s) AND id < %(before)s ORDER BY id DESC LIMIT %(limit)s
