"""Events are declared, and lines for programs are JSON."""

import json

import pytest
import structlog

from mailhost import observe


def test_a_line_for_programs_is_json_with_the_event_and_its_fields(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = structlog.get_config()
    try:
        observe.configure("info")
        log = observe.logger()
        log.info("listener.opened", port=993)
        log.debug("listener.opened", port=994)
        with pytest.raises(LookupError, match=r"is not declared"):
            log.info("something.else")
    finally:
        structlog.configure(**before)
    [line] = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"], told["port"]) == ("listener.opened", "info", 993)
