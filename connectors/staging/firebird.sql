-- Staging tables of Brama in Firebird, 2.5 and later. The gateway inserts; the office reads, sets taken_at, office_ref.
-- Give the gateway's role INSERT and SELECT on both tables and nothing else in the database.
CREATE TABLE brama_case (
    brama_key     varchar(120)  NOT NULL PRIMARY KEY,
    tenant        char(7) NOT NULL,
    kind          varchar(60) NOT NULL,
    is_test       smallint NOT NULL,
    title         varchar(250),
    surname       varchar(120),
    first_name    varchar(60),
    tax_year      integer,
    total         numeric(15, 2),
    received_on   date,
    record        blob SUB_TYPE TEXT NOT NULL,
    inserted_at   timestamp     DEFAULT CURRENT_TIMESTAMP NOT NULL,
    taken_at      timestamp,
    office_ref    varchar(60)
);
CREATE TABLE brama_file (
    brama_key     varchar(120)  NOT NULL REFERENCES brama_case (brama_key),
    file_no       integer NOT NULL,
    role          varchar(20) NOT NULL,
    name          varchar(250) NOT NULL,
    content_type  varchar(120) NOT NULL,
    sha256        char(64) NOT NULL,
    content       blob SUB_TYPE BINARY NOT NULL,
    PRIMARY KEY (brama_key, file_no)
);
