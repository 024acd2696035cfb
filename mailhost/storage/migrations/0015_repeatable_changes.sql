-- What the change did to every message it names: bits cleared, then bits set; a message whose flags stayed as they were
-- was left alone. So who knows the mailbox repeats it and looks at no row; null: only the rows tell.
alter table flag_change add column clear_mask bigint;
alter table flag_change add column set_mask bigint;
