-- Answers that take the place of earlier ones. What one person said of one item is a chain: an answer, the one that replaces
-- it, and so on. An answer *stands* while it counts and nothing replaces it. Every link is numbered, so the same watermark
-- gives the same labels, whatever is corrected later.

ALTER TABLE answers
    ADD COLUMN replaces bigint,                -- the answer it takes the place of; NULL: the first of its chain
    DROP CONSTRAINT answers_kind_check,
    ADD CONSTRAINT answers_kind_check CHECK (kind IN ('label', 'skip', 'withdrawn')),
    ADD CONSTRAINT answers_replaces_check CHECK (replaces IS NULL OR state = 'counted'),
    ADD CONSTRAINT answers_withdrawn_check CHECK (kind <> 'withdrawn' OR replaces IS NOT NULL);

-- One chain for each item and person: it has one beginning, and each answer one that replaces it.
DROP INDEX answers_person;
CREATE UNIQUE INDEX answers_person ON answers (project_id, ordinal, annotator, replaces) NULLS NOT DISTINCT
    WHERE state = 'counted';
CREATE UNIQUE INDEX answers_replaces ON answers (project_id, replaces) WHERE replaces IS NOT NULL;  -- few

-- Labels of the pool that were added, changed or taken away: what asks for the next round. An added label is in `label_count`
-- and a changed one is not, and taking one away lowers it: what that hides is in `revision_count`. So processes of the last
-- release, which know only `label_count`, count right while they are replaced.
ALTER TABLE progress
    ADD COLUMN revision_count bigint NOT NULL DEFAULT 0,
    ADD COLUMN requested_at_revisions bigint NOT NULL DEFAULT 0,  -- revision_count when the last round was requested
    ADD COLUMN change_count bigint NOT NULL GENERATED ALWAYS AS (label_count + revision_count) STORED,
    ADD COLUMN requested_at_changes bigint NOT NULL
        GENERATED ALWAYS AS (requested_at_labels + requested_at_revisions) STORED;

ALTER TABLE rounds ADD COLUMN change_count bigint;  -- when it was requested; NULL: of the last release, its label_count

-- A vector is a stranger where its item had no label at the watermark up to which the set says it goes.
CREATE OR REPLACE FUNCTION labeled_recount()
RETURNS TABLE (project_id uuid, vectors bigint, top bigint, strangers bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE
    kept record;
BEGIN
    FOR kept IN SELECT s.project_id, s.name, s.watermark FROM labeled_sets s JOIN projects q ON q.id = s.project_id
                WHERE q.deleted_at IS NULL LOOP
        IF to_regclass(quote_ident(kept.name)) IS NULL THEN
            RETURN QUERY SELECT kept.project_id, NULL::bigint, NULL::bigint, NULL::bigint;
            CONTINUE;
        END IF;
        RETURN QUERY EXECUTE format(
            'SELECT $1, count(*), coalesce(max(v.seq), 0), count(*) FILTER (WHERE NOT EXISTS ('
            '  SELECT FROM answers a JOIN items i ON i.project_id = a.project_id AND i.ordinal = a.ordinal'
            '  WHERE a.project_id = $1 AND a.ordinal = v.ordinal AND a.state = ''counted'' AND a.kind = ''label'''
            '    AND a.seq <= $2 AND i.split = ''pool'' AND NOT EXISTS ('
            '      SELECT FROM answers n WHERE n.project_id = $1 AND n.replaces = a.id AND n.seq <= $2))) FROM %I v',
            kept.name) USING kept.project_id, kept.watermark;
    END LOOP;
END $$;
