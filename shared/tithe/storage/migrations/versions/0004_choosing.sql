-- Several strategies may share a queue, near-duplicates stay out of it, and shards keep a list for each thing asked for.

-- `strategy`, of projects and rounds, is a name from the catalog as before, or names with their shares as JSON:
-- {"margin": 0.9, "random": 0.1}.

-- The cosine similarity from which two items are near-duplicates, never in one queue. NULL: never.
ALTER TABLE projects ADD COLUMN near_duplicate double precision DEFAULT 0.95
    CHECK (near_duplicate > 0 AND near_duplicate <= 1);
ALTER TABLE rounds ADD COLUMN near_duplicate double precision;

-- What a shard kept of its rows, until the round's choice is made. Takes the place of `ordinals` and `scores` in `shards`,
-- which a later migration drops: workers of the last release may still write them while they are replaced.
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
