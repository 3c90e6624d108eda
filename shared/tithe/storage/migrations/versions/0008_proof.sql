-- What the loop is worth: a random slice of every hand-out, what was measured with it, when to stop.

ALTER TABLE projects
    ADD COLUMN control double precision NOT NULL DEFAULT 0 CHECK (control >= 0 AND control <= 0.5),
    -- The share of the pool that is set aside for the control arm: no strategy chooses it, no model is trained on it. It only
    -- grows. Which items that are follows from their ordinals and the seed: tithe.proof.draw.
    ADD COLUMN reserve double precision NOT NULL DEFAULT 0 CHECK (reserve >= 0 AND reserve <= 1),
    ADD COLUMN price double precision CHECK (price >= 0),         -- of one unit of the budget: a label, or a word; NULL: unknown
    ADD COLUMN currency text,
    ADD COLUMN stop_when jsonb,                                   -- NULL: never by itself, but for the budget
    ADD COLUMN stopped_at timestamptz,                            -- NULL: it runs
    ADD COLUMN stopped_because text,
    ADD COLUMN toward_random double precision NOT NULL DEFAULT 0  -- this share of the queue is random: choosing showed no gain
        CHECK (toward_random >= 0 AND toward_random <= 1);

-- As the project had them when the round was requested: a replay chooses the same.
ALTER TABLE rounds
    ADD COLUMN control double precision NOT NULL DEFAULT 0,
    ADD COLUMN reserve double precision NOT NULL DEFAULT 0;

-- Labeled items of the control arm: the model never learns from them, so they are no neighbours either.
ALTER TABLE labeled_sets ADD COLUMN left_out bigint NOT NULL DEFAULT 0;

-- What was measured of a round's model, once. What it said of the drawn items is kept in a file, so that it can be scored on
-- control labels that come later.
CREATE TABLE measurements (
    round_id    uuid PRIMARY KEY REFERENCES rounds ON DELETE CASCADE,
    project_id  uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    model_id    uuid NOT NULL,
    labels      bigint NOT NULL,               -- labels of the pool the round knew: trained on and control
    watermark   bigint NOT NULL,               -- answers that were looked at: all there were then
    said_path   text NOT NULL,
    said_sha256 text NOT NULL,
    said_size   bigint NOT NULL,
    found       jsonb NOT NULL,                -- quality, savings, advice: tithe.contracts.proof
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX measurements_project ON measurements (project_id);
