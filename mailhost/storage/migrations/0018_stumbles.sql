-- Attempts in a row that were begun and came to no end: raised by the lease, cleared by whatever ends the attempt. So a
-- message that breaks us, or even ends the process, is known by it, and is set aside (`next_at` beyond all time).
alter table outgoing_recipient add column stumbles bigint not null default 0;
