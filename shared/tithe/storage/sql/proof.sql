-- name: add
-- Once a round: a claim that came back to life later changes nothing.
INSERT INTO measurements (round_id, project_id, model_id, labels, watermark, said_path, said_sha256, said_size, found)
VALUES (%(round_id)s, %(project_id)s, %(model_id)s, %(labels)s, %(watermark)s, %(said_path)s, %(said_sha256)s, %(said_size)s,
        %(found)s)
ON CONFLICT DO NOTHING

-- name: history
SELECT r.number, m.version, e.labels, m.label_count AS trained, e.model_id, e.said_path, e.said_sha256, e.found, e.created_at
FROM measurements e JOIN rounds r ON r.id = e.round_id JOIN models m ON m.id = e.model_id
WHERE e.project_id = %(project_id)s ORDER BY r.number

-- name: newest
-- The newest first; the caller turns them round.
SELECT r.number, m.version, e.labels, m.label_count AS trained, e.model_id, e.said_path, e.said_sha256, e.found, e.created_at
FROM measurements e JOIN rounds r ON r.id = e.round_id JOIN models m ON m.id = e.model_id
WHERE e.project_id = %(project_id)s AND (%(before)s::integer IS NULL OR r.number < %(before)s)
ORDER BY r.number DESC LIMIT %(limit)s

-- name: not_measured
SELECT r.number, coalesce(j.last_error, 'no reason was kept') AS reason, coalesce(j.ended_at, j.created_at) AS at
FROM jobs j JOIN rounds r ON r.id = j.subject
WHERE j.project_id = %(project_id)s AND j.topic = 'round.measure' AND j.state = 'failed'
  AND NOT EXISTS (SELECT FROM measurements e JOIN rounds n ON n.id = e.round_id
                  WHERE e.project_id = j.project_id AND n.number > r.number)
ORDER BY r.number DESC LIMIT 1

-- name: measured
SELECT EXISTS (SELECT FROM measurements WHERE round_id = %(round_id)s)

-- name: overtaken
SELECT EXISTS (SELECT FROM rounds r JOIN rounds n ON n.project_id = r.project_id AND n.number > r.number
               WHERE r.id = %(round_id)s AND n.state = 'ready' AND n.model_id IS NOT NULL)

-- name: control_answers
SELECT count(DISTINCT ordinal) FROM leases
WHERE project_id = %(project_id)s AND state = 'done' AND chosen_by = 'control'
