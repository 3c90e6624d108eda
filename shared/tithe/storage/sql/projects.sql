-- name: create
WITH made AS (
    INSERT INTO projects (name, task, labels, strategy, near_duplicate, metric, encoder, learner, pre_annotate, batch_size,
                          retrain_every, lease_seconds, overlap, budget, budget_unit, seed, control, reserve, price, currency, stop_when)
    VALUES (%(name)s, %(task)s, %(labels)s, %(strategy)s, %(near_duplicate)s, %(metric)s, %(encoder)s, %(learner)s,
            %(pre_annotate)s, %(batch_size)s, %(retrain_every)s, %(lease_seconds)s, %(overlap)s, %(budget)s, %(budget_unit)s,
            %(seed)s, %(control)s, %(control)s, %(price)s, %(currency)s, %(stop_when)s)
    RETURNING *
), pool AS (
    INSERT INTO pools (project_id) SELECT id FROM made
), counters AS (
    INSERT INTO progress (project_id) SELECT id FROM made
)
SELECT id, name, task, labels, strategy, near_duplicate, metric, encoder, learner, pre_annotate, batch_size, retrain_every,
       lease_seconds, overlap, budget, budget_unit, seed, control, reserve, price, currency,
       stop_when, stopped_at, stopped_because, toward_random, created_at FROM made

-- name: get
SELECT id, name, task, labels, strategy, near_duplicate, metric, encoder, learner, pre_annotate, batch_size, retrain_every,
       lease_seconds, overlap, budget, budget_unit, seed, control, reserve, price, currency,
       stop_when, stopped_at, stopped_because, toward_random, created_at
FROM projects WHERE id = %(id)s AND deleted_at IS NULL

-- name: by_name
SELECT id, name, task, labels, strategy, near_duplicate, metric, encoder, learner, pre_annotate, batch_size, retrain_every,
       lease_seconds, overlap, budget, budget_unit, seed, control, reserve, price, currency,
       stop_when, stopped_at, stopped_because, toward_random, created_at
FROM projects WHERE name = %(name)s AND deleted_at IS NULL

-- name: list
SELECT id, name, task, labels, strategy, near_duplicate, metric, encoder, learner, pre_annotate, batch_size, retrain_every,
       lease_seconds, overlap, budget, budget_unit, seed, control, reserve, price, currency,
       stop_when, stopped_at, stopped_because, toward_random, created_at
FROM projects WHERE deleted_at IS NULL AND (%(after)s::uuid IS NULL OR id > %(after)s)
  AND (%(member)s::uuid IS NULL OR EXISTS (SELECT FROM memberships m WHERE m.project_id = id AND m.user_id = %(member)s))
ORDER BY id LIMIT %(limit)s

-- name: patch
-- A NULL leaves the column as it is; the budget and the near-duplicate rule are lifted by flags of their own.
UPDATE projects SET
    name = coalesce(%(name)s, name),
    strategy = coalesce(%(strategy)s, strategy),
    -- Another strategy is given its chance.
    toward_random = CASE WHEN %(strategy)s::text IS NULL THEN toward_random ELSE 0 END,
    learner = coalesce(%(learner)s, learner),
    pre_annotate = coalesce(%(pre_annotate)s, pre_annotate),
    near_duplicate = CASE WHEN %(allow_near_duplicates)s THEN NULL ELSE coalesce(%(near_duplicate)s, near_duplicate) END,
    batch_size = coalesce(%(batch_size)s, batch_size),
    retrain_every = coalesce(%(retrain_every)s, retrain_every),
    lease_seconds = coalesce(%(lease_seconds)s, lease_seconds),
    overlap = coalesce(%(overlap)s, overlap),
    budget = CASE WHEN %(lift_budget)s THEN NULL ELSE coalesce(%(budget)s, budget) END,
    control = coalesce(%(control)s, control),
    reserve = greatest(reserve, coalesce(%(control)s, 0)),
    price = CASE WHEN %(lift_price)s THEN NULL ELSE coalesce(%(price)s, price) END,
    currency = CASE WHEN %(lift_currency)s THEN NULL ELSE coalesce(%(currency)s, currency) END,
    stop_when = CASE WHEN %(lift_stop_when)s THEN NULL ELSE coalesce(%(stop_when)s, stop_when) END,
    -- A rule that is set while it stands still did not stop it: going on leaves it.
    stopped_because = CASE WHEN %(stop_when)s::jsonb IS NULL OR stopped_at IS NULL THEN stopped_because ELSE 'asked' END
WHERE id = %(id)s AND deleted_at IS NULL
RETURNING id, name, task, labels, strategy, near_duplicate, metric, encoder, learner, pre_annotate, batch_size, retrain_every,
          lease_seconds, overlap, budget, budget_unit, seed, control, reserve, price, currency,
       stop_when, stopped_at, stopped_because, toward_random, created_at

-- name: stop
-- The first reason stays: a project stops once.
UPDATE projects SET stopped_at = clock_timestamp(), stopped_because = %(because)s
WHERE id = %(id)s AND deleted_at IS NULL AND stopped_at IS NULL

-- name: resume
-- What stopped it would stop it again at once: that is taken away.
UPDATE projects SET stopped_at = NULL, stopped_because = NULL,
    stop_when = CASE WHEN stopped_because = 'asked' THEN stop_when END
WHERE id = %(id)s AND deleted_at IS NULL AND stopped_at IS NOT NULL

-- name: lean
UPDATE projects SET toward_random = %(share)s WHERE id = %(id)s AND deleted_at IS NULL

-- name: mark_deleted
UPDATE projects SET deleted_at = clock_timestamp() WHERE id = %(id)s AND deleted_at IS NULL

-- name: cancel_work
UPDATE jobs SET state = 'cancelled', ended_at = clock_timestamp()
WHERE project_id = %(id)s AND state IN ('ready', 'claimed')

-- name: deleted
-- Purged one at a time, after workers have had time to notice. Files a slow one writes later are swept (keeper).
SELECT id FROM projects WHERE deleted_at < clock_timestamp() - make_interval(secs => %(after)s)
ORDER BY deleted_at LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: allow_purge
SELECT set_config('tithe.purge', 'on', true)

-- name: purge_answers
DELETE FROM answers WHERE ctid = ANY (ARRAY(SELECT ctid FROM answers WHERE project_id = %(id)s LIMIT %(rows)s))

-- name: purge_leases
DELETE FROM leases WHERE ctid = ANY (ARRAY(SELECT ctid FROM leases WHERE project_id = %(id)s LIMIT %(rows)s))

-- name: purge_vectors
DELETE FROM item_vectors WHERE ctid = ANY (ARRAY(SELECT ctid FROM item_vectors WHERE project_id = %(id)s LIMIT %(rows)s))

-- name: purge_annotations
DELETE FROM remote_annotations WHERE ctid = ANY (ARRAY(
    SELECT a.ctid FROM connectors c JOIN remote_annotations a ON a.connector_id = c.id WHERE c.project_id = %(id)s LIMIT %(rows)s))

-- name: purge_tasks
DELETE FROM remote_tasks WHERE ctid = ANY (ARRAY(SELECT ctid FROM remote_tasks WHERE project_id = %(id)s LIMIT %(rows)s))

-- name: purge_machine
DELETE FROM machine_labels WHERE ctid = ANY (ARRAY(
    SELECT l.ctid FROM machine_runs r JOIN machine_labels l ON l.run_id = r.id WHERE r.project_id = %(id)s LIMIT %(rows)s))

-- name: purge_items
DELETE FROM items WHERE ctid = ANY (ARRAY(SELECT ctid FROM items WHERE project_id = %(id)s LIMIT %(rows)s))

-- name: purge
-- Once its large tables are empty the rest goes with the project.
DELETE FROM projects WHERE id = %(id)s

-- name: known
SELECT id FROM projects WHERE id = ANY(%(ids)s)

-- name: take_turns
SELECT pg_advisory_xact_lock(hashtextextended(%(id)s, 7))
