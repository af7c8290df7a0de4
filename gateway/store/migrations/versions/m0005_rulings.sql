CREATE TABLE ruling (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    submission_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    effect TEXT NOT NULL,
    stored JSONB NOT NULL,
    actor TEXT,
    action_id BIGINT,
    CONSTRAINT pk_ruling PRIMARY KEY (id),
    CONSTRAINT ck_ruling_effect_known CHECK (effect IN ('effective', 'ineffective', 'clerk_decides')),
    CONSTRAINT fk_ruling_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id),
    CONSTRAINT fk_ruling_action_id FOREIGN KEY(action_id) REFERENCES operator_action (id)
);
CREATE INDEX ix_ruling_submission_id_id ON ruling (submission_id, id);
CREATE INDEX ix_ruling_effect_submission_id ON ruling (effect, submission_id);
CREATE TABLE receipt_wanted (
    submission_id UUID NOT NULL,
    tenant TEXT NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    tries INTEGER DEFAULT 0 NOT NULL,
    last_code TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_receipt_wanted PRIMARY KEY (submission_id),
    CONSTRAINT fk_receipt_wanted_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id)
);
CREATE INDEX ix_receipt_wanted_due_at ON receipt_wanted (tenant, due_at) WHERE due_at IS NOT NULL;

ALTER TABLE answer ADD COLUMN asked JSONB DEFAULT '{}' NOT NULL;
ALTER TABLE answer ADD COLUMN enclosure BYTEA;
ALTER TABLE answer ALTER COLUMN enclosure SET STORAGE EXTERNAL;
-- A clerk may call for corrections more than once; what begins by itself is told apart by its id.
ALTER TABLE answer DROP CONSTRAINT uq_answer_submission_id_service;
CREATE INDEX ix_answer_submission_id_service ON answer (submission_id, service);

-- Later rulings stand beside earlier ones, never over them.
CREATE TRIGGER ruling_append_only BEFORE UPDATE ON ruling
    FOR EACH ROW EXECUTE FUNCTION brama_refuse_change();
