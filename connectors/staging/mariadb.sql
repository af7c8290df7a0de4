-- Staging tables of Brama in MariaDB. The gateway inserts; the office's system reads, sets taken_at and office_ref.
-- Give the gateway's role INSERT and SELECT on both tables and nothing else in the database.
-- InnoDB is needed: without transactions a broken write would stay half-done.
CREATE TABLE brama_case (
    brama_key     varchar(120)  NOT NULL PRIMARY KEY,
    tenant        char(7) NOT NULL,
    kind          varchar(60) NOT NULL,
    is_test       smallint NOT NULL,
    title         varchar(250),
    surname       varchar(120),
    first_name    varchar(60),
    tax_year      integer,
    total         decimal(15, 2),
    received_on   date,
    record        longtext NOT NULL,
    inserted_at   timestamp     NOT NULL DEFAULT CURRENT_TIMESTAMP,
    taken_at      timestamp     NULL,
    office_ref    varchar(60)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_polish_ci;
CREATE TABLE brama_file (
    brama_key     varchar(120)  NOT NULL REFERENCES brama_case (brama_key),
    file_no       integer NOT NULL,
    role          varchar(20) NOT NULL,
    name          varchar(250) NOT NULL,
    content_type  varchar(120) NOT NULL,
    sha256        char(64) NOT NULL,
    content       longblob NOT NULL,
    PRIMARY KEY (brama_key, file_no)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_polish_ci;
