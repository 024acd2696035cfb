-- Mail on its way: what came in, so that no message is put anywhere twice, and what has to go out.

-- One row a message put into an account, kept for a day: no transaction puts it there twice.
create table receipt (
    account_id bigint not null,
    transaction_id text not null,
    sender text not null,
    content bytea not null,                 -- digest of the blob
    received_at bigint not null,
    primary key (account_id, transaction_id)
){clustered};
create index receipt_time on receipt (received_at);

-- Messages whose sender may not have learnt that we have them, because we were killed before the answer or another
-- recipient failed: the same content from the same sender is a repetition then, once.
create table unanswered (
    account_id bigint not null,
    content bytea not null,
    sender text not null,
    received_at bigint not null,
    primary key (account_id, content, sender)
){clustered};
create index unanswered_time on unanswered (received_at);

-- What an account has submitted within a day, for its daily limit.
create table submission (
    account_id bigint not null,
    transaction_id text not null,
    submitted_at bigint not null,
    recipients bigint not null,
    primary key (account_id, transaction_id)
){clustered};
create index submission_time on submission (account_id, submitted_at);

-- Outgoing mail by the account it belongs to; the content sent is prefix and blob.
create table outgoing (
    account_id bigint not null,
    transaction_id text not null,
    sender text not null,                   -- envelope sender, empty for the null sender
    blob bytea not null,
    prefix bytea not null,
    octets bigint not null,
    is_utf8 bigint not null,                -- the envelope or the header needs SMTPUTF8
    is_8bit bigint not null,
    queued_at bigint not null,
    primary key (account_id, transaction_id)
);
create index outgoing_blob on outgoing (blob);

-- One row for each recipient still to be served. Whoever works on it moves `next_at` ahead: that is its lease, and
-- `attempts`, raised in the same statement, is what it shows to end it.
create table outgoing_recipient (
    account_id bigint not null,
    transaction_id text not null,
    recipient text not null,
    next_at bigint not null,
    attempts bigint not null,
    last_reply text not null,
    primary key (account_id, transaction_id, recipient)
){clustered};
create index outgoing_due on outgoing_recipient (next_at);

-- Who has an account's POP3 maildrop open, until when unless renewed.
create table maildrop_lease (
    account_id bigint not null primary key,
    holder text not null,
    lease_until bigint not null
){clustered};
