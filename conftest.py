"""What a run left out is named at its end; with CI=true leaving anything out is a failure."""

import os
import signal
from collections import Counter

import pytest

# What a shell starts in the background is deaf to SIGINT, and the programs that tests interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def skipped_reasons(terminal: pytest.TerminalReporter) -> Counter[str]:
    """Reason → number of tests, of all tests skipped in this run (on all workers)."""
    reasons: Counter[str] = Counter()
    for report in terminal.stats.get("skipped", []):
        words = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[words.removeprefix("Skipped: ")] += 1
    return reasons


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was not run, and why, just above pytest's closing line."""
    for reason, count in sorted(skipped_reasons(terminalreporter).items()):
        terminalreporter.write_line(f"not run: {count} test{'s' if count > 1 else ''}: {reason}", yellow=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI every client and server is installed, so a skipped test there means that nothing was shown."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and terminal and session.exitstatus == 0 and skipped_reasons(terminal):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
