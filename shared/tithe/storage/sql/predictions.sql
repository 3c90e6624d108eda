-- name: create
INSERT INTO predict_requests (project_id, texts, ordinals, model_id)
VALUES (%(project_id)s, %(texts)s, %(ordinals)s, %(model_id)s) RETURNING id

-- name: read
SELECT id, project_id, texts, ordinals, model_id, state, result, failure, created_at FROM predict_requests
WHERE id = %(id)s AND project_id = %(project_id)s

-- name: finish
UPDATE predict_requests SET state = 'done', result = %(result)s WHERE id = %(id)s AND state = 'waiting'

-- name: fail
UPDATE predict_requests SET state = 'failed', failure = %(failure)s WHERE id = %(id)s AND state = 'waiting'

-- name: purge
WITH gone AS (
    DELETE FROM predict_requests WHERE created_at < clock_timestamp() - make_interval(secs => %(after)s) RETURNING id
)
DELETE FROM jobs WHERE topic = 'texts.predict' AND subject IN (SELECT id FROM gone)
