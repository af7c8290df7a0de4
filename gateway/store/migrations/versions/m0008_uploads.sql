CREATE TABLE answer_upload (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    answer_id UUID NOT NULL,
    sha256 TEXT NOT NULL,
    name TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    state TEXT DEFAULT 'begun' NOT NULL,
    worker TEXT NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    file_id TEXT,
    code TEXT,
    text TEXT,
    CONSTRAINT pk_answer_upload PRIMARY KEY (id),
    CONSTRAINT fk_answer_upload_answer_id FOREIGN KEY(answer_id) REFERENCES answer (id),
    CONSTRAINT ck_answer_upload_state_known CHECK (state IN ('begun', 'kept', 'orphaned', 'failed'))
);
CREATE UNIQUE INDEX uq_answer_upload_kept ON answer_upload (answer_id, sha256) WHERE state = 'kept';
CREATE INDEX ix_answer_upload_answer_id ON answer_upload (answer_id);
