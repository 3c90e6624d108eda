-- Tithe's rows. What a table promises is said above it; what a query relies on is said beside the query.
-- Times come from the database's clock (clock_timestamp()), never from a process's.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE projects (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name          text NOT NULL,
    task          text NOT NULL,
    labels        text[] NOT NULL,
    strategy      text NOT NULL,
    metric        text NOT NULL,
    encoder       text,                       -- NULL: the vectors come with the items
    batch_size    integer NOT NULL CHECK (batch_size > 0),
    retrain_every integer NOT NULL CHECK (retrain_every > 0),
    lease_seconds integer NOT NULL CHECK (lease_seconds > 0),
    overlap       integer NOT NULL CHECK (overlap > 0),
    budget        bigint CHECK (budget > 0),  -- NULL: no end
    seed          bigint NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at    timestamptz                 -- set first, so that a large project is gone at once; the keeper purges
);
CREATE UNIQUE INDEX projects_name ON projects (name) WHERE deleted_at IS NULL;

-- The pool's counters: `item_count` is the next ordinal, so ordinals are gap-free. Imports of one project queue on this row.
CREATE TABLE pools (
    project_id     uuid PRIMARY KEY REFERENCES projects ON DELETE CASCADE,
    item_count     bigint NOT NULL DEFAULT 0,
    test_count     bigint NOT NULL DEFAULT 0,   -- items held out for evaluation, never handed out
    planned_count  bigint NOT NULL DEFAULT 0,   -- ordinals below this belong to a planned block
    dimension      integer,                     -- of the vectors, once the first is seen
    grown_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The labels' counters. Every counted answer takes the next `answer_seq` under this row's lock, so sequence numbers are
-- gap-free and in commit order: all answers up to a watermark are there once the watermark is read.
CREATE TABLE progress (
    project_id     uuid PRIMARY KEY REFERENCES projects ON DELETE CASCADE,
    answer_seq     bigint NOT NULL DEFAULT 0,
    label_count    bigint NOT NULL DEFAULT 0,   -- counted labels, imported ones included: what training sees
    paid_count     bigint NOT NULL DEFAULT 0,   -- counted labels from annotators: what the budget pays for
    skip_count     bigint NOT NULL DEFAULT 0,
    settled_slots  bigint NOT NULL DEFAULT 0,   -- leases done or skipped: at pool × overlap the pool is exhausted
    requested_at_labels bigint NOT NULL DEFAULT 0,  -- label_count when the last round was requested
    round_number   integer NOT NULL DEFAULT -1, -- of the last round requested; round 0 is the cold start
    current_round  uuid,                        -- the round whose ready queue is served
    current_model  uuid
);

-- Items never change. Their state is in other tables.
CREATE TABLE items (
    project_id  uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    ordinal     bigint NOT NULL,              -- position in the pool: the one index space every service speaks
    external_id text NOT NULL,                -- the user's id, or one made from the content
    digest      bytea NOT NULL,               -- of the content: the same content twice is a duplicate
    split       text NOT NULL CHECK (split IN ('pool', 'test')),
    text        text,
    tokens      text[],
    meta        jsonb,
    PRIMARY KEY (project_id, ordinal),
    CONSTRAINT items_external_id UNIQUE (project_id, external_id),
    CONSTRAINT items_digest UNIQUE (project_id, digest)
);
CREATE INDEX items_test ON items (project_id, ordinal) WHERE split = 'test';

-- Vectors that came with the items (vector_classification): the truth their blocks are cut from. No index, so a plain heap.
CREATE TABLE item_vectors (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    ordinal    bigint NOT NULL,
    vector     vector NOT NULL,
    PRIMARY KEY (project_id, ordinal)
);
ALTER TABLE item_vectors ALTER COLUMN vector SET STORAGE EXTERNAL;  -- floats do not compress

-- One import call. Chunks commit one by one; sending the same file again resumes, because digests de-duplicate.
CREATE TABLE imports (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id  uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    state       text NOT NULL CHECK (state IN ('running', 'done', 'broken')),
    accepted    bigint NOT NULL DEFAULT 0,
    duplicates  bigint NOT NULL DEFAULT 0,
    rejected    bigint NOT NULL DEFAULT 0,
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    touched_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX imports_project ON imports (project_id);

-- Immutable feature blocks: rows [start, start + rows) of the pool, one array file each.
CREATE TABLE blocks (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    start      bigint NOT NULL,
    rows       integer NOT NULL CHECK (rows > 0),
    state      text NOT NULL CHECK (state IN ('planned', 'ready')),
    path       text,
    sha256     text,
    size       bigint,
    dimension  integer,
    PRIMARY KEY (project_id, start)
);

CREATE TABLE rounds (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id   uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    number       integer NOT NULL,
    state        text NOT NULL CHECK (state IN ('requested', 'training', 'scoring', 'selecting', 'ready', 'failed')),
    reason       text NOT NULL,               -- cold_start | labels | pool_grew | queue_low | retry | asked
    strategy     text NOT NULL,
    seed         bigint NOT NULL,
    depth        integer NOT NULL,            -- how many items the ready queue is to hold
    watermark    bigint NOT NULL,             -- answers up to here are trained on
    label_count  bigint NOT NULL,             -- labels counted when it was requested
    pool_count   bigint NOT NULL DEFAULT 0,   -- rows with vectors when its shards were planned: what it ranks
    model_id     uuid,                        -- what it was ranked with; NULL: no model, by coverage
    failure      text,
    facts        jsonb NOT NULL DEFAULT '{}', -- rows scored, radius, mix …
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    training_at  timestamptz,
    scoring_at   timestamptz,
    selecting_at timestamptz,
    ended_at     timestamptz,
    CONSTRAINT rounds_number UNIQUE (project_id, number)
);
-- One unfinished round per project: two labels that cross the threshold together open one round.
CREATE UNIQUE INDEX rounds_unfinished ON rounds (project_id)
    WHERE state IN ('requested', 'training', 'scoring', 'selecting');

-- The ledger of a round's shards: what was read, what came out. Rows stay, so a round can be replayed.
CREATE TABLE shards (
    round_id   uuid NOT NULL REFERENCES rounds ON DELETE CASCADE,
    shard      integer NOT NULL,
    start      bigint NOT NULL,
    stop       bigint NOT NULL,
    done       boolean NOT NULL DEFAULT false,
    ordinals   bigint[],                      -- the shard's best, best first
    scores     double precision[],
    scored     bigint,                        -- rows that could be asked for
    seconds    double precision,
    PRIMARY KEY (round_id, shard)
);

CREATE TABLE models (
    id          uuid PRIMARY KEY,
    project_id  uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    version     integer NOT NULL,
    round_id    uuid NOT NULL REFERENCES rounds ON DELETE CASCADE,
    path        text NOT NULL,
    sha256      text NOT NULL,
    size        bigint NOT NULL,
    watermark   bigint NOT NULL,
    label_count bigint NOT NULL,              -- items it was fitted to
    score       double precision,             -- in the project's metric, on labels it was not trained on
    score_from  text,                         -- test_set | cross_validation
    facts       jsonb NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT models_version UNIQUE (project_id, version),
    CONSTRAINT models_round UNIQUE (round_id)
);

-- What the next labelers get, best first. Small (hundreds of rows), swapped whole by each round.
CREATE TABLE ready (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    round_id   uuid NOT NULL REFERENCES rounds ON DELETE CASCADE,
    rank       integer NOT NULL,
    ordinal    bigint NOT NULL,
    open_slots smallint NOT NULL,
    score      double precision,
    chosen_by  text NOT NULL,
    why        jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (project_id, round_id, rank),
    CONSTRAINT ready_once UNIQUE (project_id, round_id, ordinal)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- The hand-out walks this one: rows that are handed out in full leave it.
CREATE INDEX ready_open ON ready (project_id, round_id, rank) WHERE open_slots > 0;

CREATE TABLE batches (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    annotator  text NOT NULL,
    round_id   uuid REFERENCES rounds ON DELETE SET NULL,
    state      text NOT NULL CHECK (state IN ('open', 'closed', 'expired', 'released')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
-- An annotator has one open batch per project: asking again gives the same one.
CREATE UNIQUE INDEX batches_open ON batches (project_id, annotator) WHERE state = 'open';
CREATE INDEX batches_round ON batches (round_id);

-- Who holds which opinion of which item. A slot is taken while its lease is active and for ever once it was answered:
-- the first index is the proof that no item is handed out more often than the overlap, the second that nobody answers twice.
CREATE TABLE leases (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- the fence: a newer lease has a larger number
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    ordinal    bigint NOT NULL,
    slot       smallint NOT NULL CHECK (slot > 0),               -- 1 … overlap; an imported label takes 1 for all of them
    annotator  text NOT NULL,
    batch_id   uuid REFERENCES batches ON DELETE CASCADE,        -- NULL: imported, or a late answer that still counted
    state      text NOT NULL CHECK (state IN ('active', 'done', 'skipped', 'expired', 'released')),
    position   integer,                                          -- in its batch
    score      double precision,
    chosen_by  text NOT NULL,
    why        jsonb NOT NULL DEFAULT '{}'
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE UNIQUE INDEX leases_slot ON leases (project_id, ordinal, slot) WHERE state IN ('active', 'done', 'skipped');
CREATE UNIQUE INDEX leases_person ON leases (project_id, ordinal, annotator) WHERE state IN ('active', 'done', 'skipped');
CREATE INDEX leases_batch ON leases (batch_id);

-- Every answer that ever arrived. Append-only; what does not count says why.
CREATE TABLE answers (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id  uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    ordinal     bigint NOT NULL,
    annotator   text NOT NULL,
    batch_id    uuid,
    lease_id    bigint,
    kind        text NOT NULL CHECK (kind IN ('label', 'skip')),
    value       jsonb,
    note        text,
    source      text NOT NULL CHECK (source IN ('annotator', 'import')),
    state       text NOT NULL CHECK (state IN ('counted', 'superseded')),
    because     text,                          -- why it is superseded
    seq         bigint,                        -- gap-free per project; NULL when superseded
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((state = 'counted') = (seq IS NOT NULL)),
    CHECK ((kind = 'label') = (value IS NOT NULL))
);
CREATE UNIQUE INDEX answers_seq ON answers (project_id, seq) WHERE state = 'counted';
CREATE UNIQUE INDEX answers_person ON answers (project_id, ordinal, annotator) WHERE state = 'counted';
CREATE INDEX answers_item ON answers (project_id, ordinal) WHERE state = 'superseded';  -- few

CREATE INDEX answers_batch ON answers (batch_id);

CREATE FUNCTION answers_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Only the purge of a deleted project, which says so, may take answers away.
    IF current_setting('tithe.purge', true) = 'on' AND TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'answers are append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER answers_append_only BEFORE UPDATE OR DELETE ON answers
    FOR EACH ROW EXECUTE FUNCTION answers_are_append_only();

-- What a call answered, so that the same call again answers the same.
CREATE TABLE idempotency_keys (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    key        text NOT NULL,
    sha256     text NOT NULL,                 -- of the body it came with
    response   jsonb,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (project_id, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- Work. A row in state 'ready' is the fact that something is to be done and the unsent message in one: the keeper rings
-- its topic over the broker, and rings again what nobody claimed. Workers act only on a row they have claimed.
CREATE TABLE jobs (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic        text NOT NULL,
    queue        text NOT NULL,
    project_id   uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    subject      uuid NOT NULL,
    part         bigint NOT NULL,
    body         jsonb NOT NULL,
    state        text NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'claimed', 'done', 'failed', 'cancelled')),
    attempt      integer NOT NULL DEFAULT 0,
    fence        bigint,                      -- of the newest claim; an older owner's effects are refused
    claimed_by   text,
    heartbeat_at timestamptz,
    not_before   timestamptz NOT NULL DEFAULT clock_timestamp(),
    rung_at      timestamptz,                 -- when its message was last sent
    last_error   text,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at     timestamptz,
    CONSTRAINT jobs_once UNIQUE (topic, subject, part)
);
CREATE SEQUENCE job_fences;
CREATE INDEX jobs_open ON jobs (id) WHERE state IN ('ready', 'claimed');
CREATE INDEX jobs_project ON jobs (project_id);
CREATE INDEX jobs_subject ON jobs (subject);
