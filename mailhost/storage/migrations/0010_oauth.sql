-- The OAuth 2.0 authorization server: programs, what each person allowed them, and tokens as keyed digests.

create table oauth_client (
    id text not null primary key,
    name text not null,
    kind text not null,                     -- native, web, device or service
    secret_digest bytea,                    -- null for programs that cannot keep a secret
    redirect_uris text not null,            -- blanks between
    scopes text not null,                   -- the most it may ask for, blanks between
    public_key text not null,               -- PEM, of a service
    delegated_domains text not null,        -- domains whose accounts a service may act for, blanks between
    created_at bigint not null,
    is_registered bigint not null           -- 1 when the program registered itself
){clustered};

-- What one person allowed one program; its number is drawn from those of the account's credentials.
create table oauth_grant (
    account_id bigint not null,
    id bigint not null,
    client_id text not null,
    scopes text not null,
    created_at bigint not null,
    revoked_at bigint,
    primary key (account_id, id)
){clustered};
create index oauth_grant_by_client on oauth_grant (client_id);

create table oauth_code (
    digest bytea not null primary key,
    account_id bigint not null,
    grant_id bigint not null,
    client_id text not null,
    redirect_uri text not null,
    scopes text not null,
    challenge text not null,
    expires_at bigint not null,
    used_at bigint
){clustered};

create table oauth_token (
    digest bytea not null primary key,
    kind text not null,                     -- access or refresh
    account_id bigint not null,
    grant_id bigint not null,
    client_id text not null,
    scopes text not null,
    issued_at bigint not null,
    expires_at bigint not null,
    used_at bigint,                         -- of a refresh token that was changed for the next one
    revoked_at bigint
){clustered};
create index oauth_token_by_grant on oauth_token (account_id, grant_id);
create index oauth_token_by_client on oauth_token (client_id, issued_at);
create index oauth_token_by_expiry on oauth_token (expires_at);

create table oauth_device (
    digest bytea not null primary key,      -- of the device code
    user_code text not null unique,
    client_id text not null,
    scopes text not null,
    created_at bigint not null,
    expires_at bigint not null,
    asked_at bigint not null,               -- when the device asked last
    state text not null,                    -- waiting, granted or denied
    account_id bigint,
    grant_id bigint
){clustered};
