-- Labels that a model gives: by which bound, from which confidence on, and the sample of them that people check.

-- One machine labeling of a project. labeling: the prover is at it. proposed: a preview, nothing was labeled. too_uncertain: no
-- confidence could be shown to hold the bound. auditing → accepted or failed: what people's answers to the audit say; it follows
-- them, so it is looked at anew. withdrawn: by somebody. broken: the work failed, `because` says why.
CREATE TABLE machine_runs (
    id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id   uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    model_id     uuid NOT NULL,
    state        text NOT NULL DEFAULT 'labeling' CHECK (state IN
                 ('labeling', 'proposed', 'too_uncertain', 'auditing', 'accepted', 'failed', 'withdrawn', 'broken')),
    error        double precision NOT NULL CHECK (error > 0 AND error < 1),          -- so many may be wrong,
    certainty    double precision NOT NULL CHECK (certainty > 0 AND certainty < 1),  -- with this certainty
    audit_size   integer NOT NULL CHECK (audit_size > 0),
    preview      boolean NOT NULL,
    test_labels  boolean NOT NULL,             -- labels of the test split calibrate it, too
    threshold    double precision,             -- NULL: not found yet, or there is none
    known        integer,                      -- labels it was calibrated with,
    above        integer,                      -- those at or above the threshold,
    wrong        integer,                      -- and of these the wrong ones
    share        double precision,             -- of the open items: expected at first, at the end what it was
    because      text,
    pool_count   bigint NOT NULL DEFAULT 0,    -- items there were when it began
    next_ordinal bigint NOT NULL DEFAULT 0,    -- items below are done: moves in the transaction that writes their labels
    considered   bigint NOT NULL DEFAULT 0,    -- open items that the model was asked about
    labeled      bigint NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    labeled_at   timestamptz,
    ended_at     timestamptz
);
CREATE INDEX machine_runs_project ON machine_runs (project_id, created_at);
CREATE UNIQUE INDEX machine_runs_labeling ON machine_runs (project_id) WHERE state = 'labeling';

-- What a model said. An item that a person answered meanwhile keeps its row, and the person's word counts.
CREATE TABLE machine_labels (
    run_id     uuid NOT NULL REFERENCES machine_runs ON DELETE CASCADE,
    ordinal    bigint NOT NULL,
    value      jsonb NOT NULL,
    confidence double precision NOT NULL,
    audit      integer,                        -- its place in the sample that people check; NULL: it is not in it
    PRIMARY KEY (run_id, ordinal)
);
CREATE UNIQUE INDEX machine_labels_audit ON machine_labels (run_id, audit) WHERE audit IS NOT NULL;
