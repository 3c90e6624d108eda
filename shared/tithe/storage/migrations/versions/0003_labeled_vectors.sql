-- "How far is the nearest labeled item?" Each project's labeled vectors are a table of their own, `name`, which is born and
-- dies with its row here (docs/decisions/0007-nearest-labeled.md). Rows of that table: (seq, ordinal, vector); they are
-- numbered in the order they came in, under this row's lock, so "those since n" misses nothing. No state beside the vector:
-- an update would put it into the index once more. What an item was labeled is in `answers`.
CREATE TABLE labeled_sets (
    project_id     uuid PRIMARY KEY REFERENCES projects ON DELETE CASCADE,
    name           text NOT NULL GENERATED ALWAYS AS ('labeled_' || replace(project_id::text, '-', '')) STORED,
    dimension      integer NOT NULL CHECK (dimension BETWEEN 1 AND 16000),
    epoch          uuid NOT NULL DEFAULT gen_random_uuid(), -- another one: a vector left; what was derived is void
    seq            bigint NOT NULL DEFAULT 0,               -- of the newest vector
    vectors        bigint NOT NULL DEFAULT 0,
    watermark      bigint NOT NULL DEFAULT 0,               -- answers up to here are in, or `waiting`
    label_count    bigint NOT NULL DEFAULT 0,               -- labels counted when that round was requested
    waiting        bigint NOT NULL DEFAULT 0,               -- labeled items that were not encoded yet
    indexed        boolean NOT NULL DEFAULT false,          -- there is an HNSW index
    indexable      boolean NOT NULL DEFAULT true,           -- no: too many numbers, or too large ones, for an index
    recall_at_1    double precision,                        -- of the index, when it was last measured
    recall_at_10   double precision,
    distance_ratio double precision,                        -- found / true, 1 is perfect
    recall_rows    integer,                                 -- asked for
    recall_vectors bigint,                                  -- in the table at that time
    recall_at      timestamptz
);

CREATE FUNCTION labeled_set_is_born() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I (seq bigint PRIMARY KEY, ordinal bigint NOT NULL UNIQUE, vector vector(%s) NOT NULL)',
                   NEW.name, NEW.dimension);  -- there already: in a full dump its table comes first
    -- Floats do not compress. Inside the row where they fit, which is also what the planner believes a scan to cost.
    EXECUTE format('ALTER TABLE %I ALTER COLUMN vector SET STORAGE %s', NEW.name,
                   CASE WHEN NEW.dimension <= 2000 THEN 'PLAIN' ELSE 'EXTERNAL' END);
    RETURN NULL;
END $$;
CREATE TRIGGER labeled_sets_born AFTER INSERT ON labeled_sets FOR EACH ROW EXECUTE FUNCTION labeled_set_is_born();

CREATE FUNCTION labeled_set_dies() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP TABLE IF EXISTS %I', OLD.name);
    RETURN NULL;
END $$;
CREATE TRIGGER labeled_sets_die AFTER DELETE ON labeled_sets FOR EACH ROW EXECUTE FUNCTION labeled_set_dies();

-- For `tithe check`: what is really in the tables. Without its table a set's numbers are NULL.
CREATE FUNCTION labeled_recount()
RETURNS TABLE (project_id uuid, vectors bigint, top bigint, strangers bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE
    kept record;
BEGIN
    FOR kept IN SELECT s.project_id, s.name FROM labeled_sets s JOIN projects q ON q.id = s.project_id
                WHERE q.deleted_at IS NULL LOOP
        IF to_regclass(quote_ident(kept.name)) IS NULL THEN
            RETURN QUERY SELECT kept.project_id, NULL::bigint, NULL::bigint, NULL::bigint;
            CONTINUE;
        END IF;
        RETURN QUERY EXECUTE format(
            'SELECT $1, count(*), coalesce(max(v.seq), 0), count(*) FILTER (WHERE NOT EXISTS ('
            '  SELECT FROM answers a JOIN items i ON i.project_id = a.project_id AND i.ordinal = a.ordinal'
            '  WHERE a.project_id = $1 AND a.ordinal = v.ordinal AND a.state = ''counted'' AND a.kind = ''label'''
            '    AND i.split = ''pool'')) FROM %I v', kept.name) USING kept.project_id;
    END LOOP;
END $$;

-- Each block's distances to the nearest labeled vector, as far as `upto`; `path` holds those of several blocks. A cache:
-- what is lost, or of another epoch or block file, is computed anew.
CREATE TABLE block_minima (
    project_id   uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    start        bigint NOT NULL,             -- of the block
    rows         integer NOT NULL,
    block_sha256 text NOT NULL,               -- of the vectors they are distances of
    epoch        uuid NOT NULL,
    upto         bigint NOT NULL,             -- labeled vectors up to this number are folded in
    path         text NOT NULL,
    sha256       text NOT NULL,
    position     bigint NOT NULL,             -- of the block's first distance in the file
    PRIMARY KEY (project_id, start)
);
