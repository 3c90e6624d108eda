-- Who may do what, and who did what.

-- A user is an annotator by their name: what they answered before they had an account is theirs under the same name.
CREATE TABLE users (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name          text NOT NULL,
    role          text NOT NULL CHECK (role IN ('annotator', 'reviewer', 'manager', 'admin')),
    password      text,                        -- argon2id, with its salt and cost; NULL: they cannot sign in by one
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    disabled_at   timestamptz                  -- neither keys nor sessions count any more; names are never used again
);
CREATE UNIQUE INDEX users_name ON users (lower(name));

-- What somebody may do in a project. Admins need no row. Never more than a project's manager.
CREATE TABLE memberships (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role       text NOT NULL CHECK (role IN ('annotator', 'reviewer', 'manager')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (project_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);

-- Secrets are random, 256 bits, and stored as their SHA-256: there is nothing to guess, so nothing slow is needed.
CREATE TABLE api_keys (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name       text NOT NULL,
    begins     text NOT NULL,                  -- its first characters, by which people know it again
    sha256     bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,                    -- NULL: never
    used_at    timestamptz,                    -- to the minute
    revoked_at timestamptz
);
CREATE INDEX api_keys_user ON api_keys (user_id);

CREATE TABLE sessions (
    sha256     bytea PRIMARY KEY,              -- of the cookie
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at    timestamptz NOT NULL DEFAULT clock_timestamp(),  -- to the minute
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);

-- A link by which somebody sets their password, once.
CREATE TABLE invitations (
    sha256     bytea PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX invitations_user ON invitations (user_id);

-- Who changed what. Rows are never changed; they outlive the project and the user they tell of.
CREATE TABLE audit (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    project_id uuid,                           -- NULL: of no project, such as a new user
    who        text NOT NULL,
    what       text NOT NULL,                  -- a word with a dot: class.renamed, member.added
    details    jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_project ON audit (project_id, id);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
