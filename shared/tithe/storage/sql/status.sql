-- name: overview
-- Everything a look at a project needs that is one row, in one round trip.
SELECT p.item_count, p.test_count, g.label_count, g.change_count, g.paid_count, g.skip_count, g.settled_slots,
       (SELECT coalesce(sum(r.open_slots), 0) FROM ready r
        WHERE r.project_id = p.project_id AND r.round_id = g.current_round) AS queue_depth,
       (SELECT count(*) FROM leases l JOIN batches b ON b.id = l.batch_id
        WHERE b.project_id = p.project_id AND b.state = 'open' AND b.expires_at > clock_timestamp()
          AND l.state = 'active') AS leased,
       blocks.ready AS blocks_ready, blocks.planned AS blocks_planned, blocks.rows_ready, pace.rows_per_second,
       (SELECT count(*) FROM imports i WHERE i.project_id = p.project_id AND i.state = 'running'
          AND i.touched_at > clock_timestamp() - interval '30 seconds') AS imports_running,
       m.version AS model_version, m.score AS model_score, m.score_from AS model_score_from,
       m.label_count AS model_labels, m.created_at AS model_at,
       s.number AS served_round, coalesce(s.change_count, s.label_count) AS served_changes, s.ended_at AS served_at, sm.version AS served_model,
       EXTRACT(EPOCH FROM clock_timestamp() - s.ended_at)::double precision AS served_age
FROM pools p JOIN progress g ON g.project_id = p.project_id
LEFT JOIN models m ON m.id = g.current_model
LEFT JOIN rounds s ON s.id = g.current_round
LEFT JOIN models sm ON sm.id = s.model_id
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE b.state = 'ready') AS ready, count(*) AS planned,
           coalesce(sum(b.rows) FILTER (WHERE b.state = 'ready'), 0) AS rows_ready
    FROM blocks b WHERE b.project_id = p.project_id
) blocks
-- Rows encoded over the last five minutes, or since their encoding was first asked for; when all is done, until then.
CROSS JOIN LATERAL (
    SELECT sum(b.rows) / greatest(EXTRACT(EPOCH FROM
               CASE WHEN blocks.rows_ready < p.item_count THEN clock_timestamp() ELSE max(j.ended_at) END
               - greatest(min(j.created_at), clock_timestamp() - interval '5 minutes')), 0.001)::double precision
           AS rows_per_second
    FROM jobs j JOIN blocks b ON b.project_id = j.project_id AND b.start = j.part
    WHERE j.project_id = p.project_id AND j.topic = 'block.embed' AND j.state = 'done'
      AND j.ended_at > clock_timestamp() - interval '5 minutes'
) pace
WHERE p.project_id = %(project_id)s

-- name: answered_items
-- Items with a label, and items that were only skipped; of the pool alone. Needed where items take several answers.
SELECT count(*) FILTER (WHERE labeled), count(*) FILTER (WHERE NOT labeled) FROM (
    SELECT bool_or(a.kind = 'label') AS labeled FROM answers a
    JOIN items i ON i.project_id = a.project_id AND i.ordinal = a.ordinal AND i.split = 'pool'
    WHERE a.project_id = %(project_id)s AND a.state = 'counted' AND a.kind <> 'withdrawn'
      AND NOT EXISTS (SELECT FROM answers n WHERE n.project_id = %(project_id)s AND n.replaces = a.id)
    GROUP BY a.ordinal
) items

-- name: last_failure
-- Of encoding also what will be tried again: a model's name that nobody knows is seen at the first attempt, and until it is done.
SELECT what, reason, at FROM (
    (SELECT 'round ' || number AS what, failure AS reason, ended_at AS at FROM rounds
     WHERE project_id = %(project_id)s AND state = 'failed' ORDER BY number DESC LIMIT 1)
    UNION ALL
    (SELECT topic, last_error, coalesce(ended_at, heartbeat_at) AS ended_at FROM jobs
     WHERE project_id = %(project_id)s AND state IN ('ready', 'claimed', 'failed') AND topic = 'block.embed'
       AND last_error IS NOT NULL
     ORDER BY 3 DESC NULLS LAST LIMIT 1)
) failures WHERE at IS NOT NULL ORDER BY at DESC LIMIT 1

-- name: import_progress
-- An import whose gateway died says nothing any more: it broke.
SELECT id, CASE WHEN state = 'running' AND touched_at < clock_timestamp() - interval '5 minutes' THEN 'broken' ELSE state END
       AS state, accepted, duplicates, rejected, started_at, touched_at
FROM imports WHERE id = %(id)s AND project_id = %(project_id)s

-- name: batch
-- By its id alone: the id says which project it is of.
SELECT b.id, b.project_id, b.annotator, b.round_id, b.state, b.created_at, b.expires_at,
       b.expires_at <= clock_timestamp() AS lapsed, q.pre_annotate
FROM batches b JOIN projects q ON q.id = b.project_id AND q.deleted_at IS NULL WHERE b.id = %(id)s

-- name: gauges
-- For the monitoring: the newest projects, so that a scrape stays cheap however many there are.
WITH unsent AS (
    SELECT project_id, min(not_before) AS since FROM jobs
    WHERE state = 'ready' AND rung_at IS NULL AND not_before <= clock_timestamp() GROUP BY project_id
)
SELECT q.id AS project_id,
       (SELECT coalesce(sum(r.open_slots), 0) FROM ready r JOIN progress g ON g.current_round = r.round_id
        WHERE r.project_id = q.id AND g.project_id = q.id) AS queue_depth,
       (SELECT count(*) FROM rounds o WHERE o.project_id = q.id
          AND o.state IN ('requested', 'training', 'scoring', 'selecting')) AS open_rounds,
       coalesce(EXTRACT(EPOCH FROM clock_timestamp() - u.since), 0)::double precision AS unsent_seconds,
       coalesce(v.vectors, 0) AS labeled_vectors, v.recall_at_1, v.recall_at_10
FROM (SELECT id FROM projects WHERE deleted_at IS NULL ORDER BY created_at DESC LIMIT %(limit)s) q
LEFT JOIN unsent u ON u.project_id = q.id
LEFT JOIN labeled_sets v ON v.project_id = q.id

-- name: revision
SELECT version_num FROM alembic_version

-- name: pgvector
SELECT extversion FROM pg_extension WHERE extname = 'vector'

-- name: pulse
-- What changes when anything does: a few rows, looked at every second by whoever watches.
SELECT g.answer_seq, g.label_count, g.skip_count, p.item_count, s.number AS served_round, u.number AS round, u.state,
       (SELECT count(*) FROM shards h WHERE h.round_id = u.id AND h.done) AS shards_done,
       (SELECT count(*) FROM measurements e WHERE e.project_id = q.id) AS measurements,
       q.stopped_at IS NOT NULL AS stopped
FROM projects q JOIN pools p ON p.project_id = q.id JOIN progress g ON g.project_id = q.id
LEFT JOIN rounds s ON s.id = g.current_round
LEFT JOIN rounds u ON u.project_id = q.id AND u.state IN ('requested', 'training', 'scoring', 'selecting')
WHERE q.id = %(project_id)s AND q.deleted_at IS NULL
