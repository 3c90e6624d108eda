-- Texts and their words: which learner a project trains, what its annotators see, what a budget counts, and where a block's
-- word states are.

ALTER TABLE projects
    ADD COLUMN learner text NOT NULL DEFAULT 'linear' CHECK (learner IN ('linear', 'transformer')),
    ADD COLUMN pre_annotate boolean NOT NULL DEFAULT true,       -- false: annotators do not see what the model thinks
    ADD COLUMN budget_unit text NOT NULL DEFAULT 'labels' CHECK (budget_unit IN ('labels', 'words'));

-- What a label of the item takes from the budget: 1, or its words where the project's budget counts words. Counted when it
-- came, because items never change. `progress.paid_count` is the sum over annotators' counted labels.
ALTER TABLE items ADD COLUMN cost integer NOT NULL DEFAULT 1 CHECK (cost > 0);

-- The states of the words of the block's items, float16, in a second immutable file. NULL: none kept; they are made again
-- where they are needed.
ALTER TABLE blocks
    ADD COLUMN words_path   text,
    ADD COLUMN words_sha256 text,
    ADD COLUMN words_size   bigint,            -- bytes
    ADD COLUMN words        bigint,            -- rows of the file
    ADD CONSTRAINT blocks_words CHECK (num_nonnulls(words_path, words_sha256, words_size, words) IN (0, 4)),
    -- What computed the vectors, as it names itself. NULL: not known, of a block made before; or they came with the items.
    ADD COLUMN encoder text;

-- Which items of the pool the texts are; NULL: texts that somebody sent. An item that came as tokens keeps its words.
ALTER TABLE predict_requests ADD COLUMN ordinals bigint[];
