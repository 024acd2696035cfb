-- What owners see of their storage and their sessions.

-- The messages that make an account full: few, so that the index costs deliveries next to nothing.
create index message_large on message (account_id, octets) where octets >= 100000 and removed_at is null;

alter table live_session add column heard_at bigint not null default 0;      -- when its client last said anything, to a minute
