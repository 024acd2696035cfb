-- App passwords as devices, rules and limits of sign-in, and a diary that knows more than it had columns for.

alter table app_password add column read_only bigint not null default 0;
alter table app_password add column networks text not null default '';       -- where it may be used, blanks between; empty: anywhere
alter table app_password add column expires_at bigint;
alter table app_password add column roams bigint not null default 0;         -- its owner approved it for every network
alter table app_password add column revoked_why text not null default '';
alter table app_password add column last_used_network text not null default '';
alter table app_password add column last_used_client text not null default '';
alter table app_password add column last_used_tls text;

alter table account add column two_step_since bigint;                        -- null while two-step verification is off
alter table account add column rules text not null default '';               -- JSON: what differs from the domain's rules
alter table account add column over_limits text not null default '';         -- JSON: which daily limit is reached, until when
alter table domain add column rules text not null default '';                -- JSON: what differs from the settings

alter table sign_in add column facts text not null default '';               -- JSON: what makes the cause particular

-- Wrong secrets of a source (a user name from a network, or a network), so that each is counted once. Kept for an hour.
create table wrong_secret (
    source text not null,
    mark bytea not null,                    -- a keyed digest of user name and secret
    times bigint not null,
    at double precision not null,
    primary key (source, mark)
){clustered};
create index wrong_secret_by_age on wrong_secret (at);

create table sign_in_wait (
    source text not null primary key,
    wrong bigint not null,
    last_at double precision not null,
    until_at double precision not null
){clustered};
create index sign_in_wait_by_age on sign_in_wait (last_at);

-- Where and with which program each credential has been right, or was approved in advance.
create table known_place (
    account_id bigint not null,
    credential_id bigint not null,
    network text not null,                  -- the /24 or /48 of the peer
    client text not null,                   -- what the program calls itself, without its version
    first_at bigint not null,
    last_at bigint not null,
    primary key (account_id, credential_id, network, client)
){clustered};
create index known_place_by_network on known_place (network, last_at);

-- Sign-ins that wait for their owner's word. Equal ones are one row.
create table held_sign_in (
    account_id bigint not null,
    id bigint not null,
    credential_id bigint not null,
    network text not null,
    client text not null,
    peer text not null,
    protocol text not null,
    why text not null,                      -- JSON: signs that made it unusual
    first_at bigint not null,
    last_at bigint not null,
    attempts bigint not null,
    state text not null,                    -- waiting, approved or refused
    primary key (account_id, id)
){clustered};

-- Sessions of all processes, written a moment late; those of a process that is gone do not count.
create table live_session (
    account_id bigint not null,
    id text not null,                       -- the connection's
    process text not null,
    protocol text not null,
    credential_id bigint not null,
    peer text not null,
    client_id text not null,
    opened_at bigint not null,
    must_end bigint not null,               -- 1 once its owner or a newer session sent it away
    primary key (account_id, id)
){clustered};
create index live_session_by_process on live_session (process);

create table server_process (
    id text not null primary key,
    seen_at bigint not null
){clustered};

-- Octets that an account moved in a day (UTC), by protocol and direction.
create table octets_moved (
    account_id bigint not null,
    day bigint not null,                    -- days since 1970
    kind text not null,                     -- imap-down, imap-up, pop3-down …
    octets bigint not null,
    primary key (account_id, day, kind)
){clustered};
