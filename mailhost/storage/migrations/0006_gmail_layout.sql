-- The gmail layout: the same rows, shown as labels.

alter table mail_account add column layout text not null default 'classic';         -- or 'gmail'
alter table mail_account add column auto_expunge bigint not null default 1;         -- \Deleted removes at once
alter table mail_account add column on_expunge text not null default 'archive';     -- or 'trash', 'delete'
alter table mail_account add column folder_limit bigint not null default 0;         -- newest messages shown; 0: all

alter table mailbox add column is_shown bigint not null default 1;                  -- 0: a label that LIST leaves out
alter table mailbox add column other_name text not null default '';                 -- its name in the other layout

-- A copy that the gmail layout cannot show beside its original is a message of its own until the account goes back.
alter table message add column twin_of bigint;
create index message_twin on message (account_id) where twin_of is not null;

-- What accounts of a domain begin with; '' is what the settings say.
alter table domain add column layout text not null default '';
