CREATE TABLE evidence (
    sha256 TEXT NOT NULL,
    der BYTEA NOT NULL,
    CONSTRAINT pk_evidence PRIMARY KEY (sha256)
);
CREATE TABLE validation_report (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    submission_id UUID NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    stored JSONB NOT NULL,
    recheck_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_validation_report PRIMARY KEY (id),
    CONSTRAINT fk_validation_report_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id)
);
CREATE INDEX ix_validation_report_submission_id ON validation_report (submission_id, id);
CREATE INDEX ix_validation_report_recheck_at ON validation_report (recheck_at) WHERE recheck_at IS NOT NULL;
