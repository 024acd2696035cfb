-- Mailboxes that others may use, annotations on mailboxes, and quotas in messages.

alter table mail_account add column quota_messages bigint;     -- null: as many as there is room for

-- What an account may do with a mailbox of another (RFC 4314). Mailbox 0 stands for the account as a whole:
-- what a new mailbox of the first level inherits.
create table mailbox_right (
    account_id bigint not null,             -- whose mailbox it is
    mailbox_id bigint not null,
    grantee_id bigint not null,             -- who may use it; 0: everybody who has an account here
    granted bigint not null,                -- bits, as in protocols/imap/rights.py
    denied bigint not null,                 -- taken away again from what was granted
    primary key (account_id, mailbox_id, grantee_id)
){clustered};
create index mailbox_right_grantee on mailbox_right (grantee_id, account_id);

-- Annotations (RFC 5464). Mailbox 0 of an account is the server as that account sees it; account 0 holds what a
-- domain's administrator tells all its accounts, under the domain's id in place of a mailbox's.
create table annotation (
    account_id bigint not null,
    mailbox_id bigint not null,
    reader_id bigint not null,              -- of /private entries: whose; 0 for /shared
    entry text not null,                    -- in lower case, from /private or /shared on
    value bytea,                            -- null: was deleted, which other sessions have still to hear
    modseq bigint not null,                 -- of the mailbox at this change
    primary key (account_id, mailbox_id, reader_id, entry)
){clustered};

-- The name under which the mailboxes of others are shown now: what was called so moves aside.
update mailbox set name = 'My ' || name
where (name = 'Other Users' or substr(name, 1, 12) = 'Other Users/')
    and not exists (select 1 from mailbox as other
        where other.account_id = mailbox.account_id and other.name = 'My ' || mailbox.name);
