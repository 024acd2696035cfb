-- People, their credentials, and the diary of who signed in and who could not.

create table domain (
    id bigint not null primary key,
    name text not null unique,              -- lower case, A-labels
    administrator_id bigint,                -- the account that gets mail to postmaster, null until there is one
    created_at bigint not null
);

create table account (
    id bigint not null primary key,
    domain_id bigint not null,
    address text not null unique,           -- local part in lower case, the domain as in domain.name
    display_name text not null,
    state text not null,                    -- live or suspended
    password_hash text,                     -- argon2id, null when the account has no password
    next_app_password_id bigint not null,
    created_at bigint not null
);
create index account_by_domain on account (domain_id, id);

create table app_password (
    account_id bigint not null,
    id bigint not null,
    name text not null,
    digest bytea not null,                  -- HMAC-SHA256 under the key of this store: what was typed finds its row
    protocols bigint not null,              -- bits: 1 IMAP, 2 POP3, 4 SMTP
    created_at bigint not null,
    revoked_at bigint,                      -- the row outlives this, so that the diary can name it
    last_used_at bigint,
    last_used_peer text,
    last_used_protocol text,
    primary key (account_id, id)
){clustered};
create unique index app_password_by_digest on app_password (digest);

-- Good and bad attempts; equal ones within a moment are one row. Account 0 stands for names that are nobody here.
create table sign_in (
    account_id bigint not null,
    id bigint not null,
    at bigint not null,
    cause text not null,
    address text not null,                  -- for account 0: what was asked for, when its domain is one of ours
    protocol text not null,
    port bigint not null,
    peer text not null,
    network text not null,                  -- the /24 or /48 of the peer
    tls_version text,
    mechanism text not null,
    client_id text not null,
    connection_id text not null,            -- of the last of them
    credential_id bigint,
    attempts bigint not null,
    primary key (account_id, id)
){clustered};
