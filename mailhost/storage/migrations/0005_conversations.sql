-- Conversations: which thread each message belongs to, and what the next message is recognised by. Both are made by the
-- message ids, in batches behind the deliveries; `threaded_to` says how far.

alter table mail_account add column threaded_to bigint not null default 0;

create table thread (
    account_id bigint not null,
    message_id bigint not null,
    thread_id bigint not null,              -- the id of the thread's first message
    primary key (account_id, message_id)
){clustered};
create index thread_members on thread (account_id, thread_id);

-- A key is a hash: of a message id and the subject it was written under, or of a subject and those who wrote about it.
create table thread_key (
    account_id bigint not null,
    key bigint not null,
    thread_id bigint not null,
    dated bigint not null,                  -- INTERNALDATE of the message that left it last
    primary key (account_id, key)
){clustered};
