CREATE TABLE answer (
    id UUID NOT NULL,
    submission_id UUID NOT NULL,
    tenant TEXT NOT NULL,
    service TEXT NOT NULL,
    step TEXT NOT NULL,
    plan JSONB NOT NULL,
    octets BYTEA,
    cid TEXT,
    tries INTEGER DEFAULT 0 NOT NULL,
    fence BIGINT DEFAULT 0 NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    woken_at TIMESTAMP WITH TIME ZONE,
    last_code TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_answer PRIMARY KEY (id),
    CONSTRAINT uq_answer_submission_id_service UNIQUE (submission_id, service),
    CONSTRAINT fk_answer_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id)
);
CREATE INDEX ix_answer_due_at ON answer (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX ix_answer_step_created_at ON answer (step, created_at);
CREATE TABLE message (
    id UUID NOT NULL,
    submission_id UUID NOT NULL,
    answer_id UUID,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    "to" TEXT NOT NULL,
    reply_to TEXT NOT NULL,
    file_name TEXT NOT NULL,
    document_id TEXT NOT NULL,
    case_id TEXT NOT NULL,
    cid TEXT,
    sha256 TEXT NOT NULL,
    canonical_sha256 TEXT,
    document BYTEA NOT NULL,
    state TEXT DEFAULT 'due' NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    fence BIGINT DEFAULT 0 NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE,
    due_at TIMESTAMP WITH TIME ZONE,
    woken_at TIMESTAMP WITH TIME ZONE,
    in_doubt BOOLEAN DEFAULT false NOT NULL,
    first_tried_at TIMESTAMP WITH TIME ZONE,
    sent_at TIMESTAMP WITH TIME ZONE,
    remote_document_id TEXT,
    remote_receipt_id TEXT,
    remote_order_id TEXT,
    last_code TEXT,
    last_text TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_message PRIMARY KEY (id),
    CONSTRAINT ck_message_state_known CHECK (state IN ('due', 'trying', 'sent', 'receipted', 'unsettled', 'refused', 'given_up', 'set_aside')),
    CONSTRAINT uq_message_document_id UNIQUE (document_id),
    CONSTRAINT fk_message_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id),
    CONSTRAINT fk_message_answer_id FOREIGN KEY(answer_id) REFERENCES answer (id)
);
CREATE INDEX ix_message_submission_id ON message (submission_id);
CREATE INDEX ix_message_state_created_at ON message (state, created_at);
CREATE INDEX ix_message_due_at ON message (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX ix_message_lease_until ON message (lease_until) WHERE state = 'trying';
CREATE INDEX ix_message_sha256 ON message (sha256);
CREATE INDEX ix_message_canonical_sha256 ON message (canonical_sha256);
CREATE INDEX ix_message_remote_document_id ON message (remote_document_id);
CREATE INDEX ix_message_cid ON message (cid);
CREATE TABLE message_attempt (
    message_id UUID NOT NULL,
    number INTEGER NOT NULL,
    fence BIGINT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    took_ms INTEGER,
    looked_up BOOLEAN,
    outcome TEXT,
    code TEXT,
    text TEXT,
    worker TEXT NOT NULL,
    CONSTRAINT pk_message_attempt PRIMARY KEY (message_id, number),
    CONSTRAINT fk_message_attempt_message_id FOREIGN KEY(message_id) REFERENCES message (id)
);
CREATE TABLE message_receipt (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    message_id UUID,
    submission_id UUID,
    tenant TEXT,
    kind TEXT NOT NULL,
    identifier TEXT NOT NULL,
    came_by TEXT NOT NULL,
    matched_by TEXT,
    binding TEXT NOT NULL,
    indication TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    stored_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    stored JSONB NOT NULL,
    xml BYTEA NOT NULL,
    CONSTRAINT pk_message_receipt PRIMARY KEY (id),
    CONSTRAINT uq_message_receipt_sha256 UNIQUE (sha256),
    CONSTRAINT fk_message_receipt_message_id FOREIGN KEY(message_id) REFERENCES message (id),
    CONSTRAINT fk_message_receipt_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id)
);
CREATE INDEX ix_message_receipt_message_id ON message_receipt (message_id);
CREATE INDEX ix_message_receipt_unmatched ON message_receipt (id) WHERE message_id IS NULL;

ALTER TABLE message ALTER COLUMN document SET STORAGE EXTERNAL;

-- What was signed is what is sent, for ever.
CREATE TRIGGER message_document_never_changes BEFORE UPDATE OF document, sha256 ON message
    FOR EACH ROW EXECUTE FUNCTION brama_refuse_change();
CREATE TRIGGER message_attempt_append_only BEFORE DELETE ON message_attempt
    FOR EACH ROW EXECUTE FUNCTION brama_refuse_change();
CREATE TRIGGER message_attempt_finished_once BEFORE UPDATE ON message_attempt
    FOR EACH ROW WHEN (OLD.outcome IS NOT NULL) EXECUTE FUNCTION brama_refuse_change();
