-- Questions to the doctor on the web, and what came of them.

create table diagnosis (
    account_id bigint not null,
    id bigint not null,
    asked_at bigint not null,
    ended_at bigint,                        -- null while it runs; long after asked_at: its process died
    address text not null,                  -- whom it is about
    progress text not null,                 -- what is being done, in English
    reports text not null,                  -- JSON: the report in each language, empty until it ended
    primary key (account_id, id)
){clustered};
-- One at a time for each account.
create unique index diagnosis_running on diagnosis (account_id) where ended_at is null;
