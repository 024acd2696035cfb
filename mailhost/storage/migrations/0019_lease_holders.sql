-- Which process holds the lease of a row; nobody once its attempt has ended. So what a dead one held is free at once.
alter table outgoing_recipient add column holder text;
