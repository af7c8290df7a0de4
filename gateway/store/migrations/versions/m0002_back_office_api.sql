CREATE TABLE publication (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    submission_id UUID NOT NULL,
    tenant TEXT NOT NULL,
    version INTEGER NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    number BIGINT,
    CONSTRAINT pk_publication PRIMARY KEY (id),
    CONSTRAINT uq_publication_submission_id_version UNIQUE (submission_id, version),
    CONSTRAINT uq_publication_tenant_number UNIQUE (tenant, number),
    CONSTRAINT fk_publication_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id)
);
CREATE INDEX ix_publication_unnumbered ON publication (tenant, id) WHERE number IS NULL;
CREATE TABLE publication_counter (
    tenant TEXT NOT NULL,
    last BIGINT NOT NULL,
    CONSTRAINT pk_publication_counter PRIMARY KEY (tenant)
);
CREATE TABLE acknowledgement (
    submission_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    reference TEXT,
    api_key TEXT NOT NULL,
    CONSTRAINT pk_acknowledgement PRIMARY KEY (submission_id),
    CONSTRAINT fk_acknowledgement_submission_id FOREIGN KEY(submission_id) REFERENCES submission (id)
);
CREATE TABLE api_key (
    id TEXT NOT NULL,
    tenant TEXT NOT NULL,
    label TEXT NOT NULL,
    scopes JSONB NOT NULL,
    sha256 TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    created_by TEXT NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    revoked_by TEXT,
    last_used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_api_key PRIMARY KEY (id)
);
CREATE INDEX ix_api_key_tenant ON api_key (tenant);

-- Whoever stores a version of a case publishes it in the same transaction, by whatever way it was made.
CREATE FUNCTION brama_publish_case() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO publication (submission_id, tenant, version, received_at)
    SELECT s.id, s.tenant, NEW.version, s.received_at FROM submission s
     WHERE s.id = NEW.submission_id AND s.tenant IS NOT NULL AND NOT s.is_test;
    RETURN NULL;
END;
$$;
CREATE TRIGGER case_version_published AFTER INSERT ON case_version
    FOR EACH ROW EXECUTE FUNCTION brama_publish_case();

-- What was there before.
INSERT INTO publication (submission_id, tenant, version, received_at)
SELECT s.id, s.tenant, v.version, s.received_at
  FROM case_version v JOIN submission s ON s.id = v.submission_id
 WHERE s.tenant IS NOT NULL AND NOT s.is_test
 ORDER BY v.mapped_at, s.sequence, v.version;
