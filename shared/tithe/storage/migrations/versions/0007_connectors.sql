-- Connections to other people's labeling tools: what is held for them, where it is there, what people said of it there.

-- One connection of a project to a tool. The sync process makes passes over those that are due.
CREATE TABLE connectors (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id    uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    kind          text NOT NULL,                 -- label-studio | scale | whatever is installed
    name          text NOT NULL,
    settings      jsonb NOT NULL,
    secret        bytea NOT NULL,                -- encrypted: of no use to whoever reads the database alone
    hook_secret   bytea NOT NULL,                -- encrypted
    state         text NOT NULL DEFAULT 'starting'
                  CHECK (state IN ('starting', 'healthy', 'failing', 'attention', 'paused', 'leaving')),
    problem       jsonb,                         -- what is wrong: code, detail, remedy; NULL: nothing
    remote        jsonb,                         -- the tool's project, as the connector described it
    cursor        jsonb,                         -- how far its changes were read
    facts         jsonb NOT NULL DEFAULT '{}',   -- what is told of it: the tool's version, how far taking in is …
    failures      integer NOT NULL DEFAULT 0,    -- passes in a row that failed
    orders        integer NOT NULL DEFAULT 0,    -- orders given to the tool: each has a number of its own
    ordered_round uuid,                          -- the round whose order the tool has
    due_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    begun_at      timestamptz,                   -- the last pass
    changed_at    timestamptz,                   -- by somebody: a pass that failed meanwhile is followed by another at once
    ok_at         timestamptz,                   -- the end of the last pass that went well
    polled_at     timestamptz,
    ordered_at    timestamptz,
    reconciled_at timestamptz,                   -- when all that is there was last compared with all that should be
    adopted_at    timestamptz,                   -- when the tool's own items had become the pool's
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT connectors_name UNIQUE (project_id, name)
);

-- A batch may be held for a tool rather than for a person. `follows`: the tool can be told a new order, so rounds rank what
-- it holds together with what nobody holds.
ALTER TABLE batches
    ADD COLUMN connector_id uuid REFERENCES connectors ON DELETE SET NULL,
    ADD COLUMN follows boolean NOT NULL DEFAULT false;
CREATE INDEX batches_connector ON batches (connector_id) WHERE connector_id IS NOT NULL;

-- Where an item is in a tool. The row is written before the tool is told (`intended`), so whoever dies in between leaves a
-- trace; the key goes with the item and says, after a time-out, whether it arrived.
CREATE TABLE remote_tasks (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connector_id uuid NOT NULL REFERENCES connectors ON DELETE CASCADE,
    project_id   uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    ordinal      bigint NOT NULL,
    key          text NOT NULL,
    task         text,                           -- the tool's id, once it is known
    own          boolean NOT NULL,               -- we made it; false: it was there before us, and is never deleted
    -- there: the tool asks for it, and it is held for the tool. answered: in full. parked: it is in the tool, but neither.
    -- twin: another task of the tool has the same content. gone: not in the tool. rejected: the tool does not take it.
    state        text NOT NULL CHECK (state IN ('intended', 'there', 'answered', 'parked', 'twin', 'gone', 'rejected')),
    rank         integer,
    out_since    timestamptz,                    -- since when it is not among the best any more
    reason       text,
    pushed_at    timestamptz,
    CONSTRAINT remote_tasks_key UNIQUE (connector_id, key)
);
CREATE UNIQUE INDEX remote_tasks_task ON remote_tasks (connector_id, task) WHERE task IS NOT NULL;
-- An item is asked for by one task of a tool.
CREATE UNIQUE INDEX remote_tasks_item ON remote_tasks (connector_id, ordinal)
    WHERE state IN ('intended', 'there', 'answered', 'parked');
CREATE INDEX remote_tasks_there ON remote_tasks (connector_id) WHERE state = 'there';
CREATE INDEX remote_tasks_ordinal ON remote_tasks (connector_id, ordinal);
CREATE INDEX remote_tasks_project ON remote_tasks (project_id);

-- What people said in a tool, as it was last read. `answers` has what of it counted, and keeps everything that ever did.
CREATE TABLE remote_annotations (
    connector_id uuid NOT NULL REFERENCES connectors ON DELETE CASCADE,
    annotation   text NOT NULL,                  -- the tool's id
    task_id      bigint NOT NULL REFERENCES remote_tasks ON DELETE CASCADE,
    annotator    text NOT NULL,
    digest       bytea NOT NULL,                 -- of what it says: the same again is nothing new
    kind         text NOT NULL CHECK (kind IN ('label', 'skip', 'unreadable')),
    value        jsonb,
    raw          jsonb NOT NULL,
    -- counted: an answer stands for it. extra: more than were asked for. quarantined: it fits no schema. removed: taken back.
    state        text NOT NULL CHECK (state IN ('counted', 'extra', 'quarantined', 'removed')),
    because      text,
    answer_id    bigint,                         -- no foreign key: a deleted project is purged slice by slice
    given_at     timestamptz,                    -- by the tool's clock
    counted_at   timestamptz,
    seen_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (connector_id, annotation),
    CHECK (state <> 'counted' OR answer_id IS NOT NULL)
);
CREATE INDEX remote_annotations_task ON remote_annotations (task_id);
CREATE INDEX remote_annotations_counted ON remote_annotations (connector_id, counted_at) WHERE counted_at IS NOT NULL;

-- What hooks said: where to look. They say nothing that is believed.
CREATE TABLE connector_hints (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connector_id uuid NOT NULL REFERENCES connectors ON DELETE CASCADE,
    tasks        text[] NOT NULL,
    annotations  text[] NOT NULL,
    everything   boolean NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX connector_hints_connector ON connector_hints (connector_id);
