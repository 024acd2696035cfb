-- Where ids come from: one row per kind of thing.
create table counter (
    name text not null primary key,
    value bigint not null
){clustered};

-- Facts about the store itself, such as whether it was closed cleanly.
create table meta (
    name text not null primary key,
    value text not null
){clustered};

-- Immutable bytes by the SHA-256 of what they are when unpacked: `size` bytes, `stored` of them when packed. Small ones
-- are here (`payload`), others in the file that `place` names. A row that is about to be swept has `claimed_at`; whoever
-- needs the blob sets that back to null. Not clustered: digests are random, and rows this wide are better appended.
create table blob (
    digest bytea not null primary key,
    size bigint not null,
    stored bigint not null,
    claimed_at bigint,
    place text,
    payload bytea
);

-- Blobs whose last reference may be gone, for the sweeper to look at.
create table blob_candidate (
    digest bytea not null primary key,
    claimed_at bigint
){clustered};

create index blob_candidate_claimed on blob_candidate (claimed_at);
