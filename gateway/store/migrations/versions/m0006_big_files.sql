ALTER TABLE delivery ADD COLUMN files TEXT;
CREATE TABLE remote_file (
    id UUID NOT NULL,
    tenant TEXT NOT NULL,
    file_id TEXT NOT NULL,
    state TEXT DEFAULT 'due' NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    refusals INTEGER DEFAULT 0 NOT NULL,
    fence BIGINT DEFAULT 0 NOT NULL,
    in_doubt BOOLEAN DEFAULT false NOT NULL,
    worker TEXT,
    lease_until TIMESTAMP WITH TIME ZONE,
    due_at TIMESTAMP WITH TIME ZONE,
    woken_at TIMESTAMP WITH TIME ZONE,
    first_tried_at TIMESTAMP WITH TIME ZONE,
    name TEXT,
    content_type TEXT,
    type TEXT,
    sha256 TEXT,
    size_bytes BIGINT,
    findings JSONB DEFAULT '[]' NOT NULL,
    last_code TEXT,
    last_text TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_remote_file PRIMARY KEY (id),
    CONSTRAINT uq_remote_file_tenant_file_id UNIQUE (tenant, file_id),
    CONSTRAINT ck_remote_file_state_known CHECK (state IN ('due', 'fetching', 'kept', 'held', 'lost', 'failed'))
);
CREATE INDEX ix_remote_file_due_at ON remote_file (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX ix_remote_file_lease_until ON remote_file (lease_until) WHERE state = 'fetching';
CREATE INDEX ix_remote_file_state_created_at ON remote_file (state, created_at);
CREATE TABLE remote_file_piece (
    remote_file_id UUID NOT NULL,
    number INTEGER NOT NULL,
    octets BYTEA NOT NULL,
    CONSTRAINT pk_remote_file_piece PRIMARY KEY (remote_file_id, number),
    CONSTRAINT fk_remote_file_piece_remote_file_id FOREIGN KEY(remote_file_id) REFERENCES remote_file (id)
);
CREATE TABLE submission_file (
    submission_id UUID NOT NULL,
    number INTEGER NOT NULL,
    remote_file_id UUID,
    name TEXT NOT NULL,
    declared_type TEXT NOT NULL,
    address TEXT NOT NULL,
    waived BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_submission_file PRIMARY KEY (submission_id, number),
    CONSTRAINT fk_submission_file_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id),
    CONSTRAINT fk_submission_file_remote_file_id FOREIGN KEY(remote_file_id) REFERENCES remote_file (id)
);
CREATE INDEX ix_submission_file_remote_file_id ON submission_file (remote_file_id);
ALTER TABLE remote_file_piece ALTER COLUMN octets SET STORAGE EXTERNAL;
