-- name: open_batch
-- The annotator's open batch, held: whatever happens to a batch happens in turns.
SELECT id, project_id, annotator, round_id, state, created_at, expires_at, expires_at <= clock_timestamp() AS lapsed
FROM batches WHERE project_id = %(project_id)s AND annotator = %(annotator)s AND state = 'open' FOR UPDATE

-- name: lock_batch
SELECT id, project_id, annotator, round_id, state, created_at, expires_at, expires_at <= clock_timestamp() AS lapsed
FROM batches WHERE id = %(id)s AND (%(project_id)s::uuid IS NULL OR project_id = %(project_id)s) FOR UPDATE

-- name: lapsed_batches
-- Skips what somebody is answering at this moment; they are not lost, only late.
SELECT id FROM batches
WHERE project_id = %(project_id)s AND state = 'open' AND expires_at <= clock_timestamp()
ORDER BY id FOR UPDATE SKIP LOCKED

-- name: projects_with_lapsed
SELECT DISTINCT project_id FROM batches WHERE state = 'open' AND expires_at <= clock_timestamp()

-- name: new_batch
INSERT INTO batches (project_id, annotator, round_id, state, expires_at)
SELECT %(project_id)s, %(annotator)s, p.current_round, 'open', clock_timestamp() + make_interval(secs => %(lease_seconds)s)
FROM progress p WHERE p.project_id = %(project_id)s
ON CONFLICT (project_id, annotator) WHERE state = 'open' DO NOTHING
RETURNING id, project_id, annotator, round_id, state, created_at, expires_at, false AS lapsed

-- name: drop_batch
DELETE FROM batches WHERE id = %(id)s

-- name: extend
UPDATE batches SET expires_at = greatest(expires_at, clock_timestamp() + make_interval(secs => %(lease_seconds)s))
WHERE id = %(id)s AND state = 'open' RETURNING expires_at

-- name: lease_ready
-- The hand-out, in one statement: the best ready rows nobody is taking at this moment, each into a slot that is free.
-- The unique indexes on leases are the proof of exclusivity; SKIP LOCKED and open_slots only keep people out of each
-- other's way. A row whose slot turned out to be taken (by a late answer, say) is counted down and simply not leased.
-- Answers with the leased items themselves, so that handing out is one round trip.
-- Where `left` bounds what they may cost together, the queue's order holds: the first that does not fit ends the batch. With
-- `alone` the very first may cost more than is left.
WITH picked AS (
    SELECT r.round_id, r.rank, r.ordinal, r.score, r.chosen_by, r.why
    FROM ready r
    WHERE r.project_id = %(project_id)s AND r.open_slots > 0
      AND r.round_id = (SELECT current_round FROM progress WHERE project_id = %(project_id)s)
      -- OFFSET 0 keeps this a look-up per row: a join would begin with everything this annotator ever held.
      AND NOT EXISTS (SELECT FROM leases l WHERE l.project_id = r.project_id AND l.ordinal = r.ordinal
                      AND l.annotator = %(annotator)s AND l.state IN ('active', 'done', 'skipped') OFFSET 0)
    ORDER BY r.rank LIMIT %(size)s
    FOR UPDATE OF r SKIP LOCKED
), priced AS (
    -- A look-up per row, and none where nothing bounds the cost.
    SELECT p.*, row_number() OVER (ORDER BY p.rank) AS place,
           sum(CASE WHEN %(left)s::bigint IS NULL THEN 0 ELSE
               (SELECT i.cost FROM items i WHERE i.project_id = %(project_id)s AND i.ordinal = p.ordinal) END)
           OVER (ORDER BY p.rank) AS cost_so_far
    FROM picked p
), fitting AS (
    SELECT * FROM priced
    WHERE %(left)s::bigint IS NULL OR cost_so_far <= %(left)s OR (place = 1 AND %(alone)s)
), counted AS (
    UPDATE ready r SET open_slots = r.open_slots - 1 FROM fitting p
    WHERE r.project_id = %(project_id)s AND r.round_id = p.round_id AND r.rank = p.rank
), leased AS (
    INSERT INTO leases (project_id, ordinal, slot, annotator, batch_id, state, position, score, chosen_by, why)
    SELECT %(project_id)s, p.ordinal, free.slot, %(annotator)s, %(batch_id)s, 'active',
           %(position)s::integer + p.place, p.score, p.chosen_by, p.why
    FROM fitting p
    CROSS JOIN LATERAL (
        SELECT min(s) AS slot FROM generate_series(1, %(overlap)s::integer) s
        WHERE NOT EXISTS (SELECT FROM leases l WHERE l.project_id = %(project_id)s AND l.ordinal = p.ordinal
                          AND (l.slot = s OR l.chosen_by = 'import') AND l.state IN ('active', 'done', 'skipped'))
    ) free
    WHERE free.slot IS NOT NULL
    ON CONFLICT DO NOTHING
    RETURNING id, project_id, ordinal, state, score, chosen_by, why, position
)
SELECT l.id, l.ordinal, i.external_id, l.state, l.score, l.chosen_by, l.why, i.text, i.tokens, i.meta, i.cost
FROM leased l JOIN items i ON i.project_id = l.project_id AND i.ordinal = l.ordinal
ORDER BY l.position

-- name: next_ready
-- Whether the ready queue has something for this annotator that nobody is taking at this moment.
SELECT true FROM ready r
WHERE r.project_id = %(project_id)s AND r.open_slots > 0
  AND r.round_id = (SELECT current_round FROM progress WHERE project_id = %(project_id)s)
  AND NOT EXISTS (SELECT FROM leases l WHERE l.project_id = r.project_id AND l.ordinal = r.ordinal
                  AND l.annotator = %(annotator)s AND l.state IN ('active', 'done', 'skipped') OFFSET 0)
ORDER BY r.rank LIMIT 1

-- name: lease_random
-- When the ready queue has run dry nobody waits: random items, found by random probes into the pool. A probe looks at a
-- window of the pool, not at all that follows it: right after an import, without statistics, the plan may sort what it finds.
-- Only what a probe hits itself is drawn at random, and says so: what lies behind labeled items is found more often.
-- `left` and `alone` as above; the order is that of the probes.
WITH found AS (
    SELECT i.ordinal, i.cost, i.hit, row_number() OVER (ORDER BY i.probe) AS place, sum(i.cost) OVER (ORDER BY i.probe) AS cost_so_far
    FROM (
        SELECT DISTINCT ON (i.ordinal) i.ordinal, i.cost, i.ordinal = probes.at AS hit, probes.probe
        FROM unnest(%(probes)s::bigint[]) WITH ORDINALITY AS probes (at, probe)
        CROSS JOIN LATERAL (
            SELECT i.ordinal, i.cost FROM items i
            WHERE i.project_id = %(project_id)s AND i.ordinal >= probes.at AND i.ordinal < probes.at + 256 AND i.split = 'pool'
              AND NOT EXISTS (SELECT FROM leases l WHERE l.project_id = i.project_id AND l.ordinal = i.ordinal
                              AND l.state IN ('active', 'done', 'skipped'))
            ORDER BY i.ordinal LIMIT 1
        ) i
        ORDER BY i.ordinal, probes.probe
    ) i
), leased AS (
    INSERT INTO leases (project_id, ordinal, slot, annotator, batch_id, state, position, score, chosen_by, why)
    SELECT %(project_id)s, f.ordinal, 1, %(annotator)s, %(batch_id)s, 'active', %(position)s::integer + f.place, NULL, 'random',
           jsonb_build_object('because', 'queue_empty', 'drawn', f.hit)
    FROM found f
    WHERE %(left)s::bigint IS NULL OR f.cost_so_far <= %(left)s OR (f.place = 1 AND %(alone)s)
    ORDER BY f.place LIMIT %(size)s
    ON CONFLICT DO NOTHING
    RETURNING ordinal
)
SELECT count(*), coalesce(sum(f.cost), 0) FROM leased l JOIN found f ON f.ordinal = l.ordinal

-- name: lease_any
-- The last resort of a nearly exhausted pool: whatever this annotator may still answer, in order.
WITH rest AS (
    SELECT i.ordinal, i.cost, (SELECT min(s) FROM generate_series(1, %(overlap)s::integer) s
                       WHERE NOT EXISTS (SELECT FROM leases l WHERE l.project_id = i.project_id AND l.ordinal = i.ordinal
                                         AND (l.slot = s OR l.chosen_by = 'import') AND l.state IN ('active', 'done', 'skipped'))) AS slot
    FROM items i
    WHERE i.project_id = %(project_id)s AND i.split = 'pool'
      AND NOT EXISTS (SELECT FROM leases l WHERE l.project_id = i.project_id AND l.ordinal = i.ordinal
                      AND l.annotator = %(annotator)s AND l.state IN ('active', 'done', 'skipped'))
), found AS (
    SELECT r.*, row_number() OVER (ORDER BY r.ordinal) AS place, sum(r.cost) OVER (ORDER BY r.ordinal) AS cost_so_far
    FROM (SELECT * FROM rest WHERE slot IS NOT NULL ORDER BY ordinal LIMIT %(size)s) r
), leased AS (
    INSERT INTO leases (project_id, ordinal, slot, annotator, batch_id, state, position, score, chosen_by, why)
    SELECT %(project_id)s, f.ordinal, f.slot, %(annotator)s, %(batch_id)s, 'active', %(position)s::integer + f.place, NULL,
           'random', '{"because": "last_items"}'
    FROM found f
    WHERE %(left)s::bigint IS NULL OR f.cost_so_far <= %(left)s OR (f.place = 1 AND %(alone)s)
    ORDER BY f.place
    ON CONFLICT DO NOTHING
    RETURNING ordinal
)
SELECT count(*), coalesce(sum(f.cost), 0) FROM leased l JOIN found f ON f.ordinal = l.ordinal

-- name: batch_leases
SELECT l.id, l.ordinal, i.external_id, l.state, l.score, l.chosen_by, l.why, i.text, i.tokens, i.meta, i.cost
FROM leases l JOIN items i ON i.project_id = l.project_id AND i.ordinal = l.ordinal
WHERE l.batch_id = %(batch_id)s ORDER BY l.position, l.id

-- name: lease_late
-- A lapsed lease that nobody took over is still good: the answer takes a fresh slot, if one is free. Whether it is, the
-- unique indexes decide, also against a hand-out that commits at the same moment.
INSERT INTO leases (project_id, ordinal, slot, annotator, batch_id, state, chosen_by, why, score)
SELECT l.project_id, l.ordinal, free.slot, a.annotator, NULL,
       CASE a.kind WHEN 'skip' THEN 'skipped' ELSE 'done' END, l.chosen_by, l.why, l.score
FROM unnest(%(lease_ids)s::bigint[], %(annotators)s::text[], %(kinds)s::text[]) AS a (lease_id, annotator, kind)
JOIN leases l ON l.id = a.lease_id
CROSS JOIN LATERAL (
    SELECT min(s) AS slot FROM generate_series(1, %(overlap)s::integer) s
    WHERE NOT EXISTS (SELECT FROM leases o WHERE o.project_id = l.project_id AND o.ordinal = l.ordinal
                      AND (o.slot = s OR o.chosen_by = 'import') AND o.state IN ('active', 'done', 'skipped'))
) free
WHERE free.slot IS NOT NULL
ON CONFLICT DO NOTHING
RETURNING ordinal, id

-- name: give_back
UPDATE leases SET state = %(state)s WHERE batch_id = ANY(%(batch_ids)s) AND state = 'active' RETURNING ordinal

-- name: end_batches
UPDATE batches SET state = %(state)s, ended_at = clock_timestamp() WHERE id = ANY(%(batch_ids)s) AND state = 'open'

-- name: recount_ready
-- How many opinions of these items may still be asked for, counted anew: whatever was leased, answered or given back.
UPDATE ready r SET open_slots = greatest(0, q.overlap - taken.slots)
FROM progress g, projects q, unnest(%(ordinals)s::bigint[]) AS o (ordinal)
CROSS JOIN LATERAL (
    SELECT count(*) + CASE WHEN bool_or(l.chosen_by = 'import') THEN 1000 ELSE 0 END AS slots
    FROM leases l
    WHERE l.project_id = %(project_id)s AND l.ordinal = o.ordinal AND l.state IN ('active', 'done', 'skipped')
) taken
WHERE g.project_id = %(project_id)s AND q.id = %(project_id)s
  AND r.project_id = %(project_id)s AND r.round_id = g.current_round AND r.ordinal = o.ordinal

-- name: active_leases
SELECT count(*) FROM leases l JOIN batches b ON b.id = l.batch_id
WHERE b.project_id = %(project_id)s AND b.state = 'open' AND l.state = 'active'

-- name: reserved
-- What those may cost that are held; one that is labeled, skipped or given back no longer is. A look-up per lease.
SELECT coalesce(sum((SELECT i.cost FROM items i WHERE i.project_id = l.project_id AND i.ordinal = l.ordinal)), 0)
FROM leases l JOIN batches b ON b.id = l.batch_id
WHERE b.project_id = %(project_id)s AND b.state = 'open' AND l.state = 'active'

-- name: import_leases
-- A label that came with the item settles it for good. It takes slot 1, the one a hand-out would take first, so that of the
-- two only one gets it; what it finds taken is left to whoever has it.
INSERT INTO leases (project_id, ordinal, slot, annotator, state, chosen_by)
SELECT %(project_id)s, o, 1, '@import', 'done', 'import' FROM unnest(%(ordinals)s::bigint[]) o
WHERE NOT EXISTS (SELECT FROM leases l WHERE l.project_id = %(project_id)s AND l.ordinal = o
                  AND l.state IN ('active', 'done', 'skipped'))
ON CONFLICT DO NOTHING
RETURNING ordinal

-- name: queue_depth
SELECT coalesce(sum(r.open_slots), 0) FROM ready r JOIN progress p ON p.project_id = r.project_id
WHERE r.project_id = %(project_id)s AND r.round_id = p.current_round

-- name: round_slots
SELECT coalesce(sum(open_slots), 0) FROM ready WHERE project_id = %(project_id)s AND round_id = %(round_id)s

-- name: fill_ready
-- Swapping in a round's choice. What was leased or answered since it was chosen is left out here; what slips through
-- between this snapshot and the commit meets the unique index when it is handed out. What a tool holds that can be told a
-- new order keeps its place, with no slot to hand out.
INSERT INTO ready (project_id, round_id, rank, ordinal, open_slots, score, chosen_by, why)
SELECT %(project_id)s, %(round_id)s, c.rank, c.ordinal, greatest(0, %(overlap)s::integer - taken.slots), c.score, c.chosen_by,
       c.why
FROM unnest(%(ranks)s::integer[], %(ordinals)s::bigint[], %(scores)s::double precision[], %(chosen_by)s::text[],
            %(whys)s::jsonb[]) AS c (rank, ordinal, score, chosen_by, why)
CROSS JOIN LATERAL (
    SELECT count(*) + CASE WHEN bool_or(l.chosen_by = 'import') THEN 1000 ELSE 0 END AS slots,
           coalesce(bool_or(l.state = 'active' AND EXISTS (SELECT FROM batches b WHERE b.id = l.batch_id AND b.follows)), false)
               AS follows
    FROM leases l WHERE l.project_id = %(project_id)s AND l.ordinal = c.ordinal AND l.state IN ('active', 'done', 'skipped')
) taken
WHERE %(overlap)s::integer - taken.slots > 0 OR taken.follows
ON CONFLICT DO NOTHING

-- name: half_answered
-- Items with some but not all of their opinions: the next round puts them first.
SELECT l.ordinal FROM leases l
WHERE l.project_id = %(project_id)s AND l.state IN ('active', 'done', 'skipped')
GROUP BY l.ordinal HAVING count(*) < %(overlap)s AND NOT bool_or(l.chosen_by = 'import')
ORDER BY l.ordinal LIMIT %(limit)s

-- name: clear_ready
DELETE FROM ready WHERE project_id = %(project_id)s AND round_id <> %(round_id)s

-- name: follow_overlap
-- For the moment before the first answer, when nothing is leased: every slot is open.
UPDATE ready SET open_slots = %(overlap)s WHERE project_id = %(project_id)s

-- name: asked_by_chance
-- What the control arm ever asked for, and what was drawn at random because the queue had run dry: whatever became of that
-- lease. So whether an item is the control arm's never changes back, whoever answers it, skips it or thinks again.
SELECT ordinal, bool_or(chosen_by = 'control') FROM leases
WHERE project_id = %(project_id)s AND chosen_by IN ('control', 'random')
  AND (chosen_by = 'control' OR (why ->> 'drawn')::boolean)
GROUP BY ordinal ORDER BY ordinal
