-- Several strategies may share a queue, near-duplicates stay out of it, and shards keep a list for each thing asked for.

-- A name from the catalog, or names with their shares: {"margin": 0.9, "random": 0.1}.
ALTER TABLE projects ALTER COLUMN strategy TYPE jsonb USING to_jsonb(strategy);
ALTER TABLE rounds ALTER COLUMN strategy TYPE jsonb USING to_jsonb(strategy);

-- The cosine similarity from which two items are near-duplicates, never in one queue. NULL: never.
ALTER TABLE projects ADD COLUMN near_duplicate double precision DEFAULT 0.95
    CHECK (near_duplicate > 0 AND near_duplicate <= 1);
ALTER TABLE rounds ADD COLUMN near_duplicate double precision;

-- What a shard kept of its rows, until the round's choice is made.
CREATE TABLE sifted (
    round_id uuid NOT NULL,
    shard    integer NOT NULL,
    sieve    text NOT NULL,                    -- rule:strategy, as best:margin
    ordinals bigint[] NOT NULL,                -- best first
    scores   double precision[] NOT NULL,
    groups   integer[],                        -- of lists kept by turns: each row's predicted class
    radius   double precision,                 -- of centers: what they leave of the shard
    PRIMARY KEY (round_id, shard, sieve),
    FOREIGN KEY (round_id, shard) REFERENCES shards ON DELETE CASCADE
);
INSERT INTO sifted (round_id, shard, sieve, ordinals, scores)
SELECT s.round_id, s.shard, 'best:' || (r.strategy #>> '{}'), s.ordinals, s.scores
FROM shards s JOIN rounds r ON r.id = s.round_id
WHERE s.done AND s.ordinals IS NOT NULL AND r.state IN ('scoring', 'selecting');
ALTER TABLE shards DROP COLUMN ordinals, DROP COLUMN scores;
