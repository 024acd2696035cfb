-- 1 where the content does not end with a line end: POP3 then sends two octets more. Null for older messages: unknown.
alter table message add column open_end bigint;

-- A mailbox that is being emptied in steps, so that other writers pass between; what a crash interrupts goes on later.
-- Into `target_id` (RENAME INBOX), below `uid_next`; or, with target 0, for good: then the mailbox's own row is gone
-- already, and `messages` counts its placements in its stead.
create table emptying (
    account_id bigint not null,
    mailbox_id bigint not null,
    target_id bigint not null,
    uid_next bigint not null,
    messages bigint not null,
    primary key (account_id, mailbox_id, target_id)
){clustered};
