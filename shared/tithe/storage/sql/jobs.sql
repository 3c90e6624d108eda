-- name: send
-- The notification wakes the relay at once; it is sent only when the transaction commits, and only for new work.
WITH sent AS (
    INSERT INTO jobs (topic, queue, project_id, subject, part, body)
    VALUES (%(topic)s, %(queue)s, %(project_id)s, %(subject)s, %(part)s, %(body)s)
    ON CONFLICT ON CONSTRAINT jobs_once DO NOTHING
    RETURNING id
)
SELECT pg_notify('tithe_jobs', '') FROM sent

-- name: claim
UPDATE jobs
SET state = 'claimed', attempt = attempt + 1, fence = nextval('job_fences'), claimed_by = %(worker)s,
    heartbeat_at = clock_timestamp()
WHERE topic = %(topic)s AND subject = %(subject)s AND part = %(part)s
  AND state = 'ready' AND not_before <= clock_timestamp()
RETURNING id, fence, attempt, project_id, subject, topic

-- name: beat
UPDATE jobs SET heartbeat_at = clock_timestamp() WHERE id = %(id)s AND fence = %(fence)s AND state = 'claimed'

-- name: finish
UPDATE jobs SET state = 'done', ended_at = clock_timestamp(), last_error = NULL
WHERE id = %(id)s AND fence = %(fence)s AND state = 'claimed'

-- name: give_back
UPDATE jobs
SET state = CASE WHEN %(hopeless)s OR attempt >= %(attempts)s THEN 'failed' ELSE 'ready' END,
    ended_at = CASE WHEN %(hopeless)s OR attempt >= %(attempts)s THEN clock_timestamp() END,
    not_before = clock_timestamp() + make_interval(secs => %(delay)s),
    rung_at = NULL,
    last_error = %(error)s
WHERE id = %(id)s AND fence = %(fence)s AND state = 'claimed'
RETURNING state

-- name: cancel
UPDATE jobs SET state = 'cancelled', ended_at = clock_timestamp()
WHERE subject = %(subject)s AND state IN ('ready', 'claimed')

-- name: to_ring
-- At most `most` messages of a queue are on their way and unclaimed, however many jobs wait: a lost one is rung again in
-- seconds, and a million waiting jobs do not flood the broker. Projects take turns.
WITH under_way AS (
    SELECT queue, count(*) AS n FROM jobs
    WHERE state = 'ready' AND rung_at >= clock_timestamp() - make_interval(secs => %(again)s) GROUP BY queue
), waiting AS (
    SELECT id, queue, row_number() OVER (PARTITION BY queue, project_id ORDER BY id) AS turn FROM jobs
    WHERE state = 'ready' AND not_before <= clock_timestamp()
      AND (rung_at IS NULL OR rung_at < clock_timestamp() - make_interval(secs => %(again)s))
), fair AS (
    SELECT w.id, row_number() OVER (PARTITION BY w.queue ORDER BY w.turn, w.id) + coalesce(u.n, 0) AS place
    FROM waiting w LEFT JOIN under_way u ON u.queue = w.queue
)
SELECT id, topic, queue, body FROM jobs
WHERE id IN (SELECT id FROM fair WHERE place <= %(most)s) AND state = 'ready'
ORDER BY id FOR UPDATE SKIP LOCKED

-- name: rung
UPDATE jobs SET rung_at = clock_timestamp() WHERE id = ANY(%(ids)s)

-- name: lapse
UPDATE jobs
SET state = CASE WHEN attempt >= %(attempts)s THEN 'failed' ELSE 'ready' END,
    ended_at = CASE WHEN attempt >= %(attempts)s THEN clock_timestamp() END,
    rung_at = NULL,
    last_error = format('%%s fell silent (attempt %%s)', claimed_by, attempt)
WHERE state = 'claimed' AND heartbeat_at < clock_timestamp() - make_interval(secs => %(silent)s)
RETURNING id, topic, subject, state, last_error

-- name: revive
UPDATE jobs SET state = 'ready', attempt = 0, rung_at = NULL, ended_at = NULL
WHERE state = 'failed' AND topic = 'block.embed' AND ended_at < clock_timestamp() - make_interval(secs => %(after)s)

-- name: again
-- Done work that has to be done again, because what it made is gone.
UPDATE jobs SET state = 'ready', attempt = 0, rung_at = NULL, ended_at = NULL, not_before = clock_timestamp()
WHERE topic = %(topic)s AND subject = %(subject)s AND part = %(part)s AND state IN ('done', 'failed')
