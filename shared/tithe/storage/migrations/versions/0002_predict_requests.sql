-- Texts somebody wants predicted. The gateway has no encoder: it writes the row, a scorer answers it, the gateway reads it.
-- Rows are short-lived: the keeper takes them away after an hour.
CREATE TABLE predict_requests (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    texts      text[] NOT NULL,
    model_id   uuid NOT NULL,                 -- current when it was asked: the answer is that model's
    state      text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'failed')),
    result     jsonb,                         -- one prediction per text, in order
    failure    text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX predict_requests_project ON predict_requests (project_id);
CREATE INDEX predict_requests_age ON predict_requests (created_at);
