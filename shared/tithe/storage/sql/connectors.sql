-- name: add
INSERT INTO connectors (project_id, kind, name, settings, secret, hook_secret)
VALUES (%(project_id)s, %(kind)s, %(name)s, %(settings)s, %(secret)s, %(hook_secret)s)
RETURNING id, project_id, kind, name, settings, secret, hook_secret, state, problem, remote, cursor, facts, failures, orders,
          ordered_round, due_at, ok_at, polled_at, ordered_at, reconciled_at, adopted_at, created_at

-- name: get
SELECT id, project_id, kind, name, settings, secret, hook_secret, state, problem, remote, cursor, facts, failures, orders,
       ordered_round, due_at, ok_at, polled_at, ordered_at, reconciled_at, adopted_at, created_at
FROM connectors WHERE project_id = %(project_id)s AND name = %(name)s

-- name: by_id
SELECT c.id, c.project_id, c.kind, c.name, c.settings, c.secret, c.hook_secret, c.state, c.problem, c.remote, c.cursor, c.facts,
       c.failures, c.orders, c.ordered_round, c.due_at, c.ok_at, c.polled_at, c.ordered_at, c.reconciled_at, c.adopted_at,
       c.created_at
FROM connectors c JOIN projects p ON p.id = c.project_id AND p.deleted_at IS NULL WHERE c.id = %(id)s

-- name: of_project
SELECT id, project_id, kind, name, settings, secret, hook_secret, state, problem, remote, cursor, facts, failures, orders,
       ordered_round, due_at, ok_at, polled_at, ordered_at, reconciled_at, adopted_at, created_at
FROM connectors WHERE project_id = %(project_id)s ORDER BY name

-- name: everywhere
SELECT c.id, c.project_id, c.kind, c.name, c.settings, c.secret, c.hook_secret, c.state, c.problem, c.remote, c.cursor, c.facts,
       c.failures, c.orders, c.ordered_round, c.due_at, c.ok_at, c.polled_at, c.ordered_at, c.reconciled_at, c.adopted_at,
       c.created_at
FROM connectors c JOIN projects p ON p.id = c.project_id AND p.deleted_at IS NULL WHERE c.kind = %(kind)s ORDER BY c.id

-- name: change
-- Whatever was wrong may be right now: it is tried at once.
UPDATE connectors SET
    settings = coalesce(%(settings)s, settings),
    secret = coalesce(%(secret)s, secret),
    state = CASE WHEN state = 'leaving' THEN state
                 WHEN %(paused)s THEN 'paused'
                 WHEN state = 'paused' AND %(paused)s IS NULL THEN state
                 WHEN ok_at IS NULL THEN 'starting'
                 WHEN state = 'paused' THEN 'starting'
                 ELSE state END,
    failures = 0,
    changed_at = clock_timestamp(),
    due_at = clock_timestamp()
WHERE id = %(id)s

-- name: leave
UPDATE connectors SET state = 'leaving', failures = 0, due_at = clock_timestamp() WHERE id = %(id)s

-- name: remove
DELETE FROM connectors WHERE id = %(id)s

-- name: lock_batches
SELECT project_id, id FROM batches WHERE connector_id = %(id)s AND state = 'open' ORDER BY id FOR UPDATE

-- name: windows
SELECT coalesce(sum(least(5000, CASE jsonb_typeof(settings -> 'window') WHEN 'number' THEN (settings ->> 'window')::numeric
                                ELSE 200 END)), 0)::integer
FROM connectors WHERE project_id = %(project_id)s AND state NOT IN ('paused', 'leaving')

-- name: hint
INSERT INTO connector_hints (connector_id, tasks, annotations, everything)
SELECT %(id)s, h.tasks, h.annotations, h.everything
FROM jsonb_to_recordset(%(hints)s) AS h (tasks text[], annotations text[], everything boolean)

-- name: hints
SELECT id, tasks, annotations, everything FROM connector_hints WHERE connector_id = %(id)s ORDER BY id LIMIT %(limit)s

-- name: heard
DELETE FROM connector_hints WHERE id = ANY(%(ids)s)

-- name: due_now
UPDATE connectors SET due_at = least(due_at, clock_timestamp())
WHERE id = %(id)s AND state <> 'paused' RETURNING project_id

-- name: due
-- Those whose time has come; a hint makes it come at once.
SELECT c.id, c.project_id FROM connectors c JOIN projects p ON p.id = c.project_id AND p.deleted_at IS NULL
WHERE c.state <> 'paused' AND c.due_at <= clock_timestamp()

-- name: wanting
-- Of a project: those that are told each round's order.
SELECT id FROM connectors WHERE project_id = %(project_id)s AND state IN ('starting', 'healthy')

-- name: note_remote
UPDATE connectors SET remote = %(remote)s, facts = facts || %(facts)s WHERE id = %(id)s

-- name: note_cursor
UPDATE connectors SET cursor = %(cursor)s, polled_at = clock_timestamp() WHERE id = %(id)s

-- name: note_order
UPDATE connectors SET ordered_round = %(round_id)s,
    ordered_at = CASE WHEN %(round_id)s::uuid IS NULL THEN ordered_at ELSE clock_timestamp() END
WHERE id = %(id)s

-- name: ordered_round
SELECT ordered_round FROM connectors WHERE id = %(id)s

-- name: next_order
UPDATE connectors SET orders = orders + 1 WHERE id = %(id)s RETURNING orders

-- name: note_reconciled
UPDATE connectors SET reconciled_at = clock_timestamp(), facts = facts || %(facts)s WHERE id = %(id)s

-- name: note_adopted
UPDATE connectors SET adopted_at = clock_timestamp(), facts = facts || %(facts)s WHERE id = %(id)s

-- name: note_facts
UPDATE connectors SET facts = facts || %(facts)s WHERE id = %(id)s

-- name: ring
SELECT pg_notify('tithe_jobs', '')

-- name: begin
-- Whoever wants a pass from here on moves this back to now, and gets one when this one has ended.
UPDATE connectors SET due_at = clock_timestamp() + interval '60 seconds', begun_at = clock_timestamp() WHERE id = %(id)s

-- name: fenced
-- Held until the unit ends: nobody takes the job over while its owner writes.
SELECT true FROM jobs WHERE id = %(job)s AND fence = %(fence)s AND state = 'claimed' FOR SHARE

-- name: fact
SELECT nullif(facts -> %(name)s, 'null') FROM connectors WHERE id = %(id)s

-- name: went_well
-- Asked for again meanwhile: due at once.
UPDATE connectors SET
    state = CASE WHEN state IN ('paused', 'leaving') THEN state ELSE 'healthy' END,
    problem = NULL, failures = 0, ok_at = clock_timestamp(),
    due_at = CASE WHEN due_at <= clock_timestamp() THEN due_at ELSE clock_timestamp() + make_interval(secs => %(after)s) END
WHERE id = %(id)s
RETURNING due_at <= clock_timestamp()

-- name: went_wrong
UPDATE connectors SET
    state = CASE WHEN state IN ('paused', 'leaving') THEN state ELSE %(state)s END,
    problem = %(problem)s || jsonb_build_object('since', CASE WHEN problem ->> 'code' = %(problem)s::jsonb ->> 'code'
        THEN problem -> 'since' ELSE to_jsonb(clock_timestamp()) END),
    failures = failures + 1,
    due_at = CASE WHEN changed_at > begun_at THEN clock_timestamp() ELSE clock_timestamp() + make_interval(secs => %(after)s) END
WHERE id = %(id)s
RETURNING due_at <= clock_timestamp()


-- name: looks
-- What a look at the connections tells; the lag is that of the last hundred labels that counted, by the tool's clock.
SELECT c.id AS connector_id, c.project_id, p.name AS project, c.name, c.kind, c.state, c.ok_at, c.failures,
       coalesce(held.n, 0) AS held, tasks.there, tasks.rejected, notes.counted, notes.skipped, notes.extra, notes.quarantined,
       (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM l.counted_at - l.given_at))
        FROM (SELECT a.counted_at, a.given_at FROM remote_annotations a
              WHERE a.connector_id = c.id AND a.counted_at IS NOT NULL AND a.given_at IS NOT NULL
              ORDER BY a.counted_at DESC LIMIT 100) l) AS lag_seconds
FROM connectors c JOIN projects p ON p.id = c.project_id AND p.deleted_at IS NULL
LEFT JOIN LATERAL (
    SELECT count(*) AS n FROM batches b JOIN leases l ON l.batch_id = b.id AND l.state = 'active'
    WHERE b.connector_id = c.id AND b.state = 'open'
) held ON true
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE state = 'there') AS there, count(*) FILTER (WHERE state = 'rejected') AS rejected
    FROM remote_tasks t WHERE t.connector_id = c.id
) tasks
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE state = 'counted' AND kind = 'label') AS counted,
           count(*) FILTER (WHERE state = 'counted' AND kind = 'skip') AS skipped,
           count(*) FILTER (WHERE state = 'extra') AS extra,
           count(*) FILTER (WHERE state = 'quarantined') AS quarantined
    FROM remote_annotations a WHERE a.connector_id = c.id
) notes
WHERE %(project_id)s::uuid IS NULL OR c.project_id = %(project_id)s
ORDER BY p.name, c.name

-- name: quarantined
SELECT a.annotation, t.task, i.external_id AS item_id, a.annotator, a.state, a.because, a.raw, a.given_at
FROM remote_annotations a JOIN remote_tasks t ON t.id = a.task_id
JOIN items i ON i.project_id = t.project_id AND i.ordinal = t.ordinal
WHERE a.connector_id = %(id)s AND a.state IN ('quarantined', 'extra')
ORDER BY a.state DESC, a.given_at DESC NULLS LAST, a.annotation LIMIT %(limit)s
