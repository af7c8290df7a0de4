-- Staging tables of Brama in Oracle. The gateway inserts; the office's system reads, sets taken_at and office_ref.
-- Give the gateway's role INSERT and SELECT on both tables and nothing else in the database.
CREATE TABLE brama_case (
    brama_key     varchar2(120 CHAR)  NOT NULL PRIMARY KEY,
    tenant        char(7) NOT NULL,
    kind          varchar2(60 CHAR) NOT NULL,
    is_test       smallint NOT NULL,
    title         varchar2(250 CHAR),
    surname       varchar2(120 CHAR),
    first_name    varchar2(60 CHAR),
    tax_year      number(4),
    total         number(15, 2),
    received_on   date,
    record        nclob NOT NULL,
    inserted_at   timestamp     DEFAULT SYSTIMESTAMP NOT NULL,
    taken_at      timestamp,
    office_ref    varchar2(60 CHAR)
);
CREATE TABLE brama_file (
    brama_key     varchar2(120 CHAR)  NOT NULL REFERENCES brama_case (brama_key),
    file_no       integer NOT NULL,
    role          varchar2(20 CHAR) NOT NULL,
    name          varchar2(250 CHAR) NOT NULL,
    content_type  varchar2(120 CHAR) NOT NULL,
    sha256        char(64) NOT NULL,
    content       blob NOT NULL,
    PRIMARY KEY (brama_key, file_no)
);
