-- name: request
-- The partial unique index lets one unfinished round exist: of two requests at once the second gets no row.
INSERT INTO rounds (project_id, number, state, reason, strategy, near_duplicate, seed, depth, watermark, label_count,
                    change_count, control, reserve)
VALUES (%(project_id)s, %(number)s, 'requested', %(reason)s, %(strategy)s, %(near_duplicate)s, %(seed)s, %(depth)s,
        %(watermark)s, %(label_count)s, %(change_count)s, %(control)s, %(reserve)s)
ON CONFLICT DO NOTHING
RETURNING id, project_id, number, state, reason, strategy, near_duplicate, seed, depth, watermark, label_count, pool_count,
          model_id, failure, facts, requested_at, training_at, scoring_at, selecting_at, ended_at, control, reserve

-- name: note_request
UPDATE progress SET round_number = %(number)s, requested_at_labels = label_count, requested_at_revisions = revision_count
WHERE project_id = %(project_id)s

-- name: get
SELECT id, project_id, number, state, reason, strategy, near_duplicate, seed, depth, watermark, label_count, pool_count,
       model_id, failure, facts, requested_at, training_at, scoring_at, selecting_at, ended_at, control, reserve
FROM rounds WHERE id = %(id)s

-- name: lock
SELECT id, project_id, number, state, reason, strategy, near_duplicate, seed, depth, watermark, label_count, pool_count,
       model_id, failure, facts, requested_at, training_at, scoring_at, selecting_at, ended_at, control, reserve
FROM rounds WHERE id = %(id)s FOR UPDATE

-- name: list
SELECT id, project_id, number, state, reason, strategy, near_duplicate, seed, depth, watermark, label_count, pool_count,
       model_id, failure, facts, requested_at, training_at, scoring_at, selecting_at, ended_at, control, reserve
FROM rounds WHERE project_id = %(project_id)s AND number > %(after)s ORDER BY number LIMIT %(limit)s

-- name: unfinished
SELECT id, project_id, number, state, reason, strategy, near_duplicate, seed, depth, watermark, label_count, pool_count,
       model_id, failure, facts, requested_at, training_at, scoring_at, selecting_at, ended_at, control, reserve
FROM rounds WHERE project_id = %(project_id)s AND state IN ('requested', 'training', 'scoring', 'selecting')

-- name: last
SELECT id, project_id, number, state, reason, strategy, near_duplicate, seed, depth, watermark, label_count, pool_count,
       model_id, failure, facts, requested_at, training_at, scoring_at, selecting_at, ended_at, control, reserve
FROM rounds WHERE project_id = %(project_id)s ORDER BY number DESC LIMIT 1

-- name: to_training
UPDATE rounds SET state = 'training', training_at = coalesce(training_at, clock_timestamp())
WHERE id = %(id)s AND state IN ('requested', 'training')

-- name: to_scoring
UPDATE rounds SET state = 'scoring', scoring_at = clock_timestamp(), model_id = %(model_id)s,
    pool_count = %(pool_count)s, facts = (facts - 'training') || %(facts)s
WHERE id = %(id)s AND state IN ('requested', 'training')

-- name: note_training
-- How far the fit is; no row: nobody waits for it any more.
UPDATE rounds SET facts = facts || jsonb_build_object('training', %(share)s::double precision)
WHERE id = %(id)s AND state = 'training'

-- name: to_selecting
UPDATE rounds SET state = 'selecting', selecting_at = clock_timestamp() WHERE id = %(id)s AND state = 'scoring'

-- name: to_ready
UPDATE rounds SET state = 'ready', ended_at = clock_timestamp(), facts = facts || %(facts)s
WHERE id = %(id)s AND state IN ('scoring', 'selecting')

-- name: serve
UPDATE progress SET current_round = %(id)s WHERE project_id = %(project_id)s

-- name: fail
UPDATE rounds SET state = 'failed', ended_at = clock_timestamp(), failure = %(failure)s
WHERE id = %(id)s AND state IN ('requested', 'training', 'scoring', 'selecting')

-- name: add_shard
INSERT INTO shards (round_id, shard, start, stop) VALUES (%(round_id)s, %(shard)s, %(start)s, %(stop)s)
ON CONFLICT DO NOTHING

-- name: shard
SELECT round_id, shard, start, stop, done, scored, seconds FROM shards
WHERE round_id = %(round_id)s AND shard = %(shard)s

-- name: shards
SELECT round_id, shard, start, stop, done, scored, seconds FROM shards
WHERE round_id = %(round_id)s ORDER BY shard

-- name: shard_counts
SELECT count(*) FILTER (WHERE done), count(*), coalesce(sum(stop - start) FILTER (WHERE done), 0), coalesce(sum(stop - start), 0)
FROM shards WHERE round_id = %(round_id)s

-- name: shard_done
UPDATE shards SET done = true, scored = %(scored)s, seconds = %(seconds)s
WHERE round_id = %(round_id)s AND shard = %(shard)s AND NOT done

-- name: keep_list
INSERT INTO sifted (round_id, shard, sieve, ordinals, scores, groups, radius)
VALUES (%(round_id)s, %(shard)s, %(sieve)s, %(ordinals)s, %(scores)s, %(groups)s, %(radius)s)
ON CONFLICT DO NOTHING

-- name: lists
SELECT shard, sieve, ordinals, scores, groups, radius FROM sifted WHERE round_id = %(round_id)s ORDER BY sieve, shard

-- name: drop_lists
-- The choice is made of them; a replay makes them again.
DELETE FROM sifted WHERE round_id = %(round_id)s

-- name: shards_left
SELECT count(*) FROM shards WHERE round_id = %(round_id)s AND NOT done

-- name: add_model
INSERT INTO models (id, project_id, version, round_id, path, sha256, size, watermark, label_count, score, score_from, facts)
SELECT %(id)s, %(project_id)s, coalesce(max(version), 0) + 1, %(round_id)s, %(path)s, %(sha256)s, %(size)s, %(watermark)s,
       %(label_count)s, %(score)s, %(score_from)s, %(facts)s
FROM models WHERE project_id = %(project_id)s
RETURNING version

-- name: use_model
UPDATE progress SET current_model = %(id)s WHERE project_id = %(project_id)s

-- name: model
SELECT id, project_id, version, round_id, path, sha256, size, watermark, label_count, score, score_from, facts, created_at
FROM models WHERE id = %(id)s

-- name: current_model
SELECT m.id, m.project_id, m.version, m.round_id, m.path, m.sha256, m.size, m.watermark, m.label_count, m.score,
       m.score_from, m.facts, m.created_at
FROM models m JOIN progress p ON p.current_model = m.id WHERE p.project_id = %(project_id)s

-- name: history
SELECT r.number, r.id, m.version, m.label_count, m.score, m.score_from, m.facts, r.strategy, r.ended_at
FROM rounds r JOIN models m ON m.round_id = r.id
WHERE r.project_id = %(project_id)s
ORDER BY r.number

-- name: to_retry
-- Projects whose newest round failed a while ago, longer after each failure in a row, and not for ever: the keeper opens
-- another, because labels or items that it was to see wait, and nothing else may ever ask again.
SELECT g.project_id FROM progress g
JOIN projects q ON q.id = g.project_id AND q.deleted_at IS NULL
JOIN rounds r ON r.project_id = g.project_id AND r.number = g.round_number
CROSS JOIN LATERAL (
    SELECT count(*) AS n FROM rounds f WHERE f.project_id = g.project_id AND f.number > coalesce(
        (SELECT max(k.number) FROM rounds k WHERE k.project_id = g.project_id AND k.state = 'ready'), -1)
) failures
WHERE r.state = 'failed' AND failures.n <= %(most)s
  AND r.ended_at < clock_timestamp() - make_interval(secs => %(after)s * 2 ^ (failures.n - 1))

-- name: running_dry
-- Projects that are served a queue with less than a batch in it while no round runs and items are left: skips do that, or
-- a threshold that is far away.
SELECT g.project_id FROM progress g
JOIN projects q ON q.id = g.project_id AND q.deleted_at IS NULL
JOIN pools o ON o.project_id = g.project_id
JOIN rounds r ON r.id = g.current_round AND r.number = g.round_number
CROSS JOIN LATERAL (
    SELECT coalesce(sum(y.open_slots), 0) AS slots FROM ready y
    WHERE y.project_id = g.project_id AND y.round_id = g.current_round
) open
WHERE r.state = 'ready' AND r.ended_at < clock_timestamp() - make_interval(secs => %(after)s)
  AND q.stopped_at IS NULL
  AND (q.budget IS NULL OR g.paid_count < q.budget)
  AND q.batch_size > open.slots
  -- A queue that is short because its pool is all alike stays short until some of it was handed out.
  AND coalesce((r.facts ->> 'slots')::bigint, 0) NOT BETWEEN 1 AND open.slots
  AND (o.item_count - o.test_count) * q.overlap > g.settled_slots
      + (SELECT count(*) FROM leases l JOIN batches b ON b.id = l.batch_id
         WHERE b.project_id = g.project_id AND b.state = 'open' AND l.state = 'active')
