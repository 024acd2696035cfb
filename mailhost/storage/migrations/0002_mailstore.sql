-- The mail model. Every key leads with the account's id, so that an account can move whole.

-- One row an account: its state, its counters and the lock that every change takes first by raising modseq.
create table mail_account (
    account_id bigint not null primary key,
    state text not null,                    -- 'live', or 'closed' while the account is being removed
    modseq bigint not null,
    next_message_id bigint not null,
    next_mailbox_id bigint not null,
    next_uid_validity bigint not null,
    quota_octets bigint not null,
    used_octets bigint not null,            -- RFC822.SIZE of every message that has a placement, once each
    used_messages bigint not null,
    retained_octets bigint not null         -- of the messages kept only so that their owner can undo
);

create table mailbox (
    account_id bigint not null,
    id bigint not null,
    name text not null,                     -- decoded, '/' between levels, INBOX in upper case
    uid_validity bigint not null,
    uid_next bigint not null,
    highest_modseq bigint not null,
    messages bigint not null,
    unseen bigint not null,
    deleted bigint not null,                -- placements that carry \Deleted
    octets bigint not null,
    special_use text not null,              -- '\Sent' and the like, or ''
    is_selectable bigint not null,          -- 0: a name that only holds children
    log_floor bigint not null,              -- flag_change is complete above this modseq
    purged_below bigint not null,           -- tombstones are complete from this modseq on
    primary key (account_id, id),
    unique (account_id, name)
);

create table subscription (
    account_id bigint not null,
    name text not null,
    primary key (account_id, name)
){clustered};

-- Which bit of placement.flags stands for which keyword.
create table keyword (
    account_id bigint not null,
    bit bigint not null,
    name text not null,
    primary key (account_id, bit)
){clustered};

create table message (
    account_id bigint not null,
    id bigint not null,
    blob bytea not null,                    -- digest of the content
    prefix bytea not null,                  -- trace headers added at delivery; the message is prefix + content
    octets bigint not null,                 -- RFC822.SIZE: prefix and content together
    header_octets bigint not null,          -- of the content's header, the empty line included
    internal_date bigint not null,
    sent_date bigint,                       -- of the Date: field, a moment
    sent_day bigint,                        -- its day since 1970 as written there, whatever the zone
    removed_at bigint,                      -- when its last placement went; null while it has one
    envelope bytea not null,
    bodystructure bytea not null,
    parts bytea not null,
    fields bytea not null,
    preview text not null,
    primary key (account_id, id)
);
create index message_blob on message (blob);
-- Few messages, most of them hostile: listings go in smaller steps where an account has one (mailstore/rows.py).
create index message_heavy on message (account_id)
    where length(envelope) + length(bodystructure) + length(fields) > 32768;
create index message_removed on message (account_id, removed_at) where removed_at is not null;

-- Flags stand in each placement and agree in all placements of a message, but for \Deleted.
create table placement (
    account_id bigint not null,
    mailbox_id bigint not null,
    uid bigint not null,
    message_id bigint not null,
    modseq bigint not null,
    flags bigint not null,
    saved_at bigint not null,
    primary key (account_id, mailbox_id, uid)
){clustered};
create index placement_message on placement (account_id, message_id);

create table tombstone (
    account_id bigint not null,
    mailbox_id bigint not null,
    uid bigint not null,
    modseq bigint not null,
    message_id bigint not null,
    flags bigint not null,
    expunged_at bigint not null,
    primary key (account_id, mailbox_id, uid)
){clustered};
create index tombstone_modseq on tombstone (account_id, mailbox_id, modseq);

-- Where flags changed: the span of UIDs that one transaction touched in one mailbox.
create table flag_change (
    account_id bigint not null,
    mailbox_id bigint not null,
    modseq bigint not null,
    first_uid bigint not null,
    last_uid bigint not null,
    primary key (account_id, mailbox_id, modseq)
){clustered};

-- Copies of sent mail that we filed ourselves; a client's own APPEND within a day replaces its copy.
create table sent_copy (
    account_id bigint not null,
    header_id bytea not null,               -- the Message-ID field's value
    mailbox_id bigint not null,
    uid bigint not null,
    filed_at bigint not null,
    primary key (account_id, header_id)
){clustered};
