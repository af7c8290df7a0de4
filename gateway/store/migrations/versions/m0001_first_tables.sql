-- Our tables as of the first release. tables.py explains them; a test compares both.

CREATE TABLE office (
    tenant TEXT NOT NULL,
    connector TEXT NOT NULL,
    failures INTEGER DEFAULT 0 NOT NULL,
    open_until TIMESTAMP WITH TIME ZONE,
    probe_until TIMESTAMP WITH TIME ZONE,
    tokens DOUBLE PRECISION,
    tokens_at TIMESTAMP WITH TIME ZONE,
    last_success_at TIMESTAMP WITH TIME ZONE,
    last_failure_at TIMESTAMP WITH TIME ZONE,
    last_code TEXT,
    CONSTRAINT pk_office PRIMARY KEY (tenant, connector)
);
CREATE TABLE operator_action (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    operation TEXT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    asked JSONB NOT NULL,
    affected INTEGER NOT NULL,
    CONSTRAINT pk_operator_action PRIMARY KEY (id)
);
CREATE TABLE pause (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant TEXT,
    connector TEXT,
    form TEXT,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    paused_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    resumed_at TIMESTAMP WITH TIME ZONE,
    resumed_by TEXT,
    CONSTRAINT pk_pause PRIMARY KEY (id)
);
CREATE INDEX ix_pause_open ON pause (tenant, connector) WHERE resumed_at IS NULL;
CREATE TABLE quarantine_use (
    caller TEXT NOT NULL,
    day TEXT NOT NULL,
    kept INTEGER NOT NULL,
    CONSTRAINT pk_quarantine_use PRIMARY KEY (caller, day)
);
CREATE TABLE submission (
    id UUID NOT NULL,
    sequence BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant TEXT,
    mailbox TEXT NOT NULL,
    channel TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    file_name TEXT NOT NULL,
    content_type TEXT,
    is_test BOOLEAN NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    posted_at TIMESTAMP WITH TIME ZONE,
    reply_mailbox TEXT,
    epuap_document_id TEXT,
    sender JSONB NOT NULL,
    caller TEXT,
    state TEXT DEFAULT 'kept' NOT NULL,
    decision TEXT,
    reason TEXT,
    form_namespace TEXT,
    same_as UUID,
    released BOOLEAN DEFAULT false NOT NULL,
    tries INTEGER DEFAULT 0 NOT NULL,
    busy_until TIMESTAMP WITH TIME ZONE,
    events INTEGER DEFAULT 0 NOT NULL,
    head_hash TEXT,
    CONSTRAINT pk_submission PRIMARY KEY (id),
    CONSTRAINT uq_submission_mailbox_sha256 UNIQUE (mailbox, sha256),
    CONSTRAINT ck_submission_state_known CHECK (state IN ('kept', 'decided', 'processed', 'held', 'closed')),
    CONSTRAINT uq_submission_sequence UNIQUE (sequence),
    CONSTRAINT fk_submission_same_as FOREIGN KEY(same_as) REFERENCES submission (id)
);
CREATE INDEX ix_submission_decision_sequence ON submission (decision, sequence);
CREATE INDEX ix_submission_form_sequence ON submission (form_namespace, sequence);
CREATE INDEX ix_submission_received_at ON submission (received_at);
CREATE INDEX ix_submission_sha256 ON submission (sha256);
CREATE INDEX ix_submission_state_sequence ON submission (state, sequence);
CREATE INDEX ix_submission_tenant_sequence ON submission (tenant, sequence);
CREATE INDEX ix_submission_tenant_state_sequence ON submission (tenant, state, sequence);
CREATE INDEX ix_submission_unfinished ON submission (busy_until) WHERE state IN ('kept', 'decided');
CREATE INDEX ix_submission_unprocessed ON submission (tenant, sequence) WHERE state IN ('kept', 'decided');
CREATE TABLE arrival (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    submission_id UUID NOT NULL,
    arrived_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    channel TEXT NOT NULL,
    posted_at TIMESTAMP WITH TIME ZONE,
    epuap_document_id TEXT,
    caller TEXT,
    envelope_sha256 TEXT NOT NULL,
    flags JSONB NOT NULL,
    CONSTRAINT pk_arrival PRIMARY KEY (id),
    CONSTRAINT fk_arrival_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id)
);
CREATE INDEX ix_arrival_submission_id ON arrival (submission_id);
CREATE TABLE case_version (
    id UUID NOT NULL,
    submission_id UUID NOT NULL,
    version INTEGER NOT NULL,
    mapped_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    stored JSONB NOT NULL,
    actor TEXT,
    reason TEXT,
    changes JSONB,
    CONSTRAINT pk_case_version PRIMARY KEY (id),
    CONSTRAINT uq_case_version_submission_id_version UNIQUE (submission_id, version),
    CONSTRAINT fk_case_version_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id)
);
CREATE TABLE content (
    submission_id UUID NOT NULL,
    document BYTEA NOT NULL,
    envelope BYTEA NOT NULL,
    CONSTRAINT pk_content PRIMARY KEY (submission_id),
    CONSTRAINT fk_content_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id)
);
CREATE TABLE delivery (
    id UUID NOT NULL,
    submission_id UUID NOT NULL,
    tenant TEXT NOT NULL,
    connector TEXT NOT NULL,
    form TEXT NOT NULL,
    kind TEXT NOT NULL,
    record TEXT,
    key TEXT NOT NULL,
    order_key TEXT,
    sequence BIGINT NOT NULL,
    state TEXT DEFAULT 'due' NOT NULL,
    round INTEGER DEFAULT 1 NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    fence BIGINT DEFAULT 0 NOT NULL,
    worker TEXT,
    lease_until TIMESTAMP WITH TIME ZONE,
    due_at TIMESTAMP WITH TIME ZONE,
    woken_at TIMESTAMP WITH TIME ZONE,
    parked TEXT,
    in_doubt BOOLEAN DEFAULT false NOT NULL,
    repeat TEXT,
    settle_s DOUBLE PRECISION,
    first_tried_at TIMESTAMP WITH TIME ZONE,
    doubt_since TIMESTAMP WITH TIME ZONE,
    last_code TEXT,
    last_text TEXT,
    reference TEXT,
    details JSONB,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_delivery PRIMARY KEY (id),
    CONSTRAINT uq_delivery_submission_id_connector UNIQUE (submission_id, connector),
    CONSTRAINT ck_delivery_state_known CHECK (state IN ('due', 'trying', 'delivered', 'waiting', 'refused', 'unsettled', 'given_up', 'set_aside')),
    CONSTRAINT fk_delivery_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id),
    CONSTRAINT uq_delivery_key UNIQUE (key)
);
CREATE INDEX ix_delivery_connector ON delivery (tenant, connector, state);
CREATE INDEX ix_delivery_leased ON delivery (lease_until) WHERE state = 'trying';
CREATE INDEX ix_delivery_order ON delivery (order_key, sequence) WHERE order_key IS NOT NULL AND state NOT IN ('delivered', 'set_aside');
CREATE INDEX ix_delivery_parked ON delivery (parked, id) WHERE parked IS NOT NULL;
CREATE INDEX ix_delivery_sequence ON delivery (sequence);
CREATE INDEX ix_delivery_state_sequence ON delivery (state, sequence);
CREATE INDEX ix_delivery_tenant_state_sequence ON delivery (tenant, state, sequence);
CREATE INDEX ix_delivery_to_wake ON delivery (due_at) WHERE state IN ('due', 'waiting', 'unsettled') AND woken_at IS NULL;
CREATE INDEX ix_delivery_woken ON delivery (woken_at) WHERE state IN ('due', 'waiting', 'unsettled') AND woken_at IS NOT NULL;
CREATE TABLE event (
    submission_id UUID NOT NULL,
    number INTEGER NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    word TEXT NOT NULL,
    actor TEXT,
    facts JSONB NOT NULL,
    prev_hash TEXT,
    hash TEXT NOT NULL,
    CONSTRAINT pk_event PRIMARY KEY (submission_id, number),
    CONSTRAINT fk_event_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id)
);
CREATE TABLE receipt (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    submission_id UUID NOT NULL,
    kind TEXT NOT NULL,
    origin TEXT NOT NULL,
    identifier TEXT NOT NULL,
    stored_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    stored JSONB NOT NULL,
    xml BYTEA NOT NULL,
    CONSTRAINT pk_receipt PRIMARY KEY (id),
    CONSTRAINT uq_receipt_submission_id_kind_origin UNIQUE (submission_id, kind, origin),
    CONSTRAINT fk_receipt_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id)
);
CREATE INDEX ix_receipt_identifier ON receipt (identifier);
CREATE TABLE validation (
    submission_id UUID NOT NULL,
    validated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    stored JSONB NOT NULL,
    CONSTRAINT pk_validation PRIMARY KEY (submission_id),
    CONSTRAINT fk_validation_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id)
);
CREATE TABLE verification (
    submission_id UUID NOT NULL,
    verified_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    stored JSONB NOT NULL,
    signed_xml BYTEA,
    CONSTRAINT pk_verification PRIMARY KEY (submission_id),
    CONSTRAINT fk_verification_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id)
);
CREATE TABLE attempt (
    delivery_id UUID NOT NULL,
    round INTEGER NOT NULL,
    number INTEGER NOT NULL,
    fence BIGINT NOT NULL,
    message_id TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    took_ms INTEGER,
    outcome TEXT,
    code TEXT,
    text TEXT,
    digest_sent TEXT,
    worker TEXT NOT NULL,
    remote_references JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_attempt PRIMARY KEY (delivery_id, round, number),
    CONSTRAINT fk_attempt_delivery_id FOREIGN KEY(delivery_id) REFERENCES delivery (id)
);
CREATE TABLE step (
    delivery_id UUID NOT NULL,
    name TEXT NOT NULL,
    fence BIGINT NOT NULL,
    intended_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    done_at TIMESTAMP WITH TIME ZONE,
    result JSONB,
    CONSTRAINT pk_step PRIMARY KEY (delivery_id, name),
    CONSTRAINT fk_step_delivery_id FOREIGN KEY(delivery_id) REFERENCES delivery (id)
)
;

-- Our wake-ups carry the id of what they wake; the sweep asks by it whether one is under way.
CREATE INDEX ix_brama_job_subject ON procrastinate_jobs ((args ->> 'id')) WHERE status IN ('todo', 'doing');

-- A document's bytes are already compressed or base64: do not spend time on them twice.
ALTER TABLE content ALTER COLUMN document SET STORAGE EXTERNAL;
ALTER TABLE receipt ALTER COLUMN xml SET STORAGE EXTERNAL;

-- History is append-only: the database itself refuses to change or delete it.
CREATE FUNCTION brama_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END;
$$;
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE ON event
    FOR EACH ROW EXECUTE FUNCTION brama_refuse_change();
CREATE TRIGGER attempt_append_only BEFORE DELETE ON attempt
    FOR EACH ROW EXECUTE FUNCTION brama_refuse_change();
CREATE TRIGGER attempt_finished_once BEFORE UPDATE ON attempt
    FOR EACH ROW WHEN (OLD.outcome IS NOT NULL) EXECUTE FUNCTION brama_refuse_change();
CREATE TRIGGER content_never_changes BEFORE UPDATE ON content
    FOR EACH ROW EXECUTE FUNCTION brama_refuse_change();
