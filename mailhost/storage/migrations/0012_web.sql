-- The web: what people sign in with besides their account password, and the browsers that are signed in.

alter table account add column language text not null default '';            -- of its pages; empty: what the browser says
alter table account add column password_since bigint;                        -- null while it is the first one

create table web_session (
    account_id bigint not null,
    id bigint not null,
    digest bytea not null,                  -- keyed, of the token in the browser's cookie
    stage text not null,                    -- password while the second step is awaited, then open
    opened_at bigint not null,
    seen_at bigint not null,
    proved_at bigint not null,              -- when its person last proved who they are
    ends_at bigint not null,
    peer text not null,
    client text not null,                   -- what the browser calls itself
    challenge bytea,                        -- what a passkey has to sign, once
    primary key (account_id, id)
){clustered};
create unique index web_session_by_digest on web_session (digest);
create index web_session_by_end on web_session (ends_at);

-- The app that shows codes (RFC 6238); an account has one at most.
create table authenticator (
    account_id bigint not null primary key,
    salt bytea not null,                    -- the secret is made of it with the key of this store
    last_step bigint not null,              -- the time step of the newest code that was taken: none works twice
    added_at bigint not null
){clustered};

create table passkey (
    account_id bigint not null,
    id bigint not null,
    name text not null,
    credential_id bytea not null,
    credential bytea not null,              -- WebAuthn's attested credential data: id and public key
    signatures bigint not null,             -- the authenticator's counter, 0 where it keeps none
    added_at bigint not null,
    last_used_at bigint,
    primary key (account_id, id)
){clustered};
create unique index passkey_by_credential on passkey (credential_id);

create table backup_code (
    account_id bigint not null,
    digest bytea not null,                  -- keyed; the row goes when the code is used
    primary key (account_id, digest)
){clustered};
