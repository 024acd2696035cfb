-- People, their credentials, and the diary of who signed in and who could not.

create table domain (
    id bigint not null primary key,
    name text not null unique,              -- lower case, A-labels
    administrator_id bigint,                -- the account that gets postmaster's mail; null until there is one
    created_at bigint not null
);

-- What the key file of this store must answer, so that a foreign key file is noticed at the start.
create table secret_key_check (
    purpose text not null primary key,
    digest bytea not null
);

create table account (
    id bigint not null primary key,
    domain_id bigint not null references domain (id),
    address text not null unique,           -- local part in lower case, the domain as in domain.name
    display_name text not null,
    state text not null,                    -- 'live' or 'suspended'
    password_hash text,                     -- argon2id; null: the account has no password
    is_administrator bigint not null,
    next_app_password_id bigint not null,
    created_at bigint not null
);

create index account_by_domain on account (domain_id, id);

create table app_password (
    account_id bigint not null references account (id),
    id bigint not null,
    name text not null,
    digest bytea not null,                  -- HMAC-SHA256 under the store's key: what was typed finds its row
    protocols bigint not null,              -- 1 IMAP, 2 POP3, 4 SMTP
    created_at bigint not null,
    revoked_at bigint,                      -- kept after its end, so that the diary can name it
    last_used_at bigint,
    last_used_peer text,
    last_used_protocol text,
    primary key (account_id, id)
){clustered};

create unique index app_password_by_digest on app_password (digest);

-- Good and bad attempts; like ones within a moment are one row with a count. Account 0 stands for names that are nobody's.
create table sign_in (
    account_id bigint not null,
    id bigint not null,
    at bigint not null,
    cause text not null,
    address text not null,                  -- for account 0: what was asked for, when it was one of our domains
    protocol text not null,
    port bigint not null,
    peer text not null,
    network text not null,                  -- the peer's /24 or /48
    tls_version text,
    mechanism text not null,
    client_id text not null,
    connection_id text not null,            -- of the first of them
    credential_id bigint,
    attempts bigint not null,
    primary key (account_id, id)
){clustered};
