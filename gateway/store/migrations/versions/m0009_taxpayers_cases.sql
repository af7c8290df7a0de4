CREATE INDEX ix_case_version_taxpayer ON case_version (
    COALESCE(stored #>> '{taxpayer,pesel}', stored #>> '{taxpayer,nip}', stored #>> '{taxpayer,regon}')
) WHERE version = 1;
