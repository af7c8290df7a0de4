-- Staging tables of Brama in SQL Server. The gateway inserts; the office's system reads, sets taken_at and office_ref.
-- Give the gateway's role INSERT and SELECT on both tables and nothing else in the database.
CREATE TABLE brama_case (
    brama_key     nvarchar(120)  NOT NULL PRIMARY KEY,
    tenant        char(7) NOT NULL,
    kind          nvarchar(60) NOT NULL,
    is_test       smallint NOT NULL,
    title         nvarchar(250),
    surname       nvarchar(120),
    first_name    nvarchar(60),
    tax_year      int,
    total         numeric(15, 2),
    received_on   date,
    record        nvarchar(max) NOT NULL,
    inserted_at   datetime2     NOT NULL DEFAULT SYSUTCDATETIME(),
    taken_at      datetime2     NULL,
    office_ref    nvarchar(60)
);
CREATE TABLE brama_file (
    brama_key     nvarchar(120)  NOT NULL REFERENCES brama_case (brama_key),
    file_no       integer NOT NULL,
    role          nvarchar(20) NOT NULL,
    name          nvarchar(250) NOT NULL,
    content_type  nvarchar(120) NOT NULL,
    sha256        char(64) NOT NULL,
    content       varbinary(max) NOT NULL,
    PRIMARY KEY (brama_key, file_no)
);
