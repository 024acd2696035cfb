"""The table of the comparison: every line with what it must reach."""

from tests.bench import finding, knowing, works
from tests.bench.corpus import CHINESE, COMMON, RARE
from tests.bench.memory import idle, in_idle, large_message
from tests.bench.works import DOVECOT_INDEXED, ENVELOPES, HEADERS, Work, fetch, sign_in

OURS = "Mailhost"
WORKS = (
    Work(
        "fetch-cold", "FETCH 1:* ENVELOPE BODYSTRUCTURE …, first time", "s", 10, fetch(ENVELOPES), True, is_single=True
    ),
    Work("fetch-envelope", "FETCH 1:* ENVELOPE BODYSTRUCTURE …, warm", "s", 2, fetch(ENVELOPES), True),
    Work("fetch-headers", "FETCH 1:* of header fields", "s", 1, fetch(HEADERS), True),
    Work("fetch-flags", "FETCH 1:* (UID FLAGS)", "s", 1, fetch(b"FETCH 1:* (UID FLAGS)"), True),
    Work("select", "SELECT in a new session", "s", 1, works.select, True),
    Work("login-tls", "LOGIN + LOGOUT over TLS, 8 at once", "/s", 3, sign_in(tls=True)),
    Work("login-plain", "LOGIN + LOGOUT, 8 at once", "/s", 8, sign_in(tls=False)),
    Work("login-tls-reused", "the same over TLS, its processes reused", "/s", 1, sign_in(tls=True), reuse=True),
    Work("login-plain-reused", "the same without TLS, its processes reused", "/s", 1, sign_in(tls=False), reuse=True),
    Work("login-cost", "LOGIN + LOGOUT, processor time of the server", "s", 0, works.sign_in_cost),
    Work("notice", "delivery to * EXISTS in an idle session", "s", 0, works.notice),
    Work("lmtp", "LMTP deliveries of 10 KB, 8 at once", "/s", 2, works.deliver),
    Work("lmtp-indexing", "LMTP, slower while the index has work", "%", 0, finding.slowed_delivery, is_single=True),
    Work("append", "APPEND of 10 KB, 8 at once", "/s", 1, works.append),
    Work("copy", "COPY of 1,000", "s", 2, works.copy(1), True),
    Work("copy-many", "COPY of 10,000", "s", 3, works.copy(10), True),
    Work("move", "MOVE of 1,000", "s", 2, works.move, True),
    Work("store", "STORE +FLAGS.SILENT on all", "s", 0.7, works.store, True),
    Work("random-bodies", "random FETCH BODY[]", "/s", 0.5, works.random_bodies, True),
    Work("select-again", "SELECT again in the same session", "s", 0.5, knowing.repeated(b"SELECT Big"), True),
    Work("status", "STATUS", "s", 0.5, knowing.repeated(b"STATUS Big (MESSAGES UNSEEN UIDNEXT)"), True),
    Work("qresync", "SELECT with QRESYNC, 1 % changed", "s", 1, knowing.resync, True),
    Work("changedsince", "FETCH CHANGEDSINCE, 1 % changed", "s", 1, knowing.changed_since, True),
    Work("search-unseen", "SEARCH UNSEEN", "s", 1, finding.rows(b"SEARCH UNSEEN"), True),
    Work("search-since", "SEARCH SINCE", "s", 50, finding.rows(b"SEARCH SINCE 1-Mar-2016"), True),
    Work("search-from", "SEARCH FROM", "s", 50, finding.rows(b"SEARCH FROM tanaka"), True),
    Work("search-subject", "SEARCH SUBJECT", "s", 5, finding.rows(b"SEARCH SUBJECT lantern"), True),
    Work("search-rare", "SEARCH BODY, a rare word, not indexed there", "s", 500, finding.body(RARE), needs_words=True),
    Work(
        "search-rare-indexed",
        "SEARCH BODY, a rare word",
        "s",
        1,
        finding.body(RARE, found_by=OURS),
        needs_words=True,
        rival=DOVECOT_INDEXED,
    ),
    Work(
        "search-common",
        "SEARCH TEXT, a common word",
        "s",
        1,
        finding.body(COMMON, "TEXT", found_by=OURS),
        needs_words=True,
        rival=DOVECOT_INDEXED,
    ),
    Work(
        "search-chinese",
        "SEARCH BODY, two Han characters",
        "s",
        0,
        finding.body(CHINESE, found_by=OURS),
        needs_words=True,
        rival=DOVECOT_INDEXED,
    ),
    Work("sort-date", "SORT (REVERSE DATE)", "s", 1, finding.rows(b"SORT (REVERSE DATE) UTF-8 ALL"), True),
    Work("sort-subject", "SORT (SUBJECT)", "s", 1, finding.rows(b"SORT (SUBJECT) UTF-8 ALL"), True),
    Work("sort-from", "SORT (FROM)", "s", 1, finding.rows(b"SORT (FROM) UTF-8 ALL"), True),
    Work("thread", "THREAD REFERENCES", "s", 1, finding.rows(b"THREAD REFERENCES UTF-8 ALL"), True),
    Work("large-message", "50 MB in and out, peak memory", "MiB", 0, large_message, is_single=True),
    Work("waiting-memory", "TLS session in IDLE, twice as many", "KiB", 0, in_idle, is_single=True),
    Work("idle-memory", "idle TLS session, memory of the server", "KiB", 0, idle, is_single=True),
)
# Lines that are held to a figure instead of a ratio: at most this much.
LIMITS = {
    "login-cost": 0.001,
    "notice": 0.010,
    "large-message": 20.0,
    "idle-memory": 40.0,
    "waiting-memory": 45.0,
    "search-chinese": 0.005,
    "lmtp-indexing": 10.0,
}
