-- The layout that an account is on its way to, in steps; '' when it is where it should be.
alter table mail_account add column switching text not null default '';
