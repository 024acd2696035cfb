-- Which UIDs of the span changed, as an IMAP set such as 5,9:12, where they are few and far between; null: any of them.
alter table flag_change add column uids text;
