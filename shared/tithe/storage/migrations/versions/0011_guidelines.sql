-- What annotators are told about how to label. Every version stays.
CREATE TABLE guidelines (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    version    integer NOT NULL CHECK (version > 0),
    text       text NOT NULL,                  -- Markdown
    who        text NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (project_id, version)
);
