CREATE TABLE mailbox_poll (
    mailbox TEXT NOT NULL,
    polled_at TIMESTAMP WITH TIME ZONE NOT NULL,
    taken_at TIMESTAMP WITH TIME ZONE,
    failures INTEGER DEFAULT 0 NOT NULL,
    failing_since TIMESTAMP WITH TIME ZONE,
    last_code TEXT,
    last_text TEXT,
    CONSTRAINT pk_mailbox_poll PRIMARY KEY (mailbox)
);
CREATE TABLE second_opinion (
    submission_id UUID NOT NULL,
    tries INTEGER DEFAULT 0 NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    answered_at TIMESTAMP WITH TIME ZONE,
    service TEXT,
    stored JSONB,
    agrees BOOLEAN,
    last_code TEXT,
    CONSTRAINT pk_second_opinion PRIMARY KEY (submission_id),
    CONSTRAINT fk_second_opinion_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id)
);
CREATE INDEX ix_second_opinion_due_at ON second_opinion (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX ix_second_opinion_agrees ON second_opinion (answered_at) WHERE agrees = false;
