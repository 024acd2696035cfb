"""`mailhost domain records`: lines for a zone file, which lead to the servers that programs are told of."""

from pathlib import Path

from click.testing import CliRunner

from mailhost.cli.domain import domain
from mailhost.config import Config, write_first


def run(data: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(domain, [*words, "--data", str(data)])
    return done.exit_code, done.output


def test_the_records_of_a_domain(tmp_path: Path) -> None:
    write_first(tmp_path, Config(host_name="mx.example.com"))
    for name in ("example.com", "own.example"):
        code, said = run(tmp_path, "add", name)
        assert code == 0
        assert f"mailhost domain records {name}" in said
    code, said = run(tmp_path, "records", "OWN.example")
    assert code == 0
    lines = said.splitlines()
    assert "own.example. IN MX 10 mx.example.com." in lines
    assert "autoconfig.own.example. IN CNAME mx.example.com." in lines
    assert "_autodiscover._tcp.own.example. IN SRV 0 0 443 mx.example.com." in lines
    # Nothing is certified before the first start: the names of the first domain are given.
    assert "_imaps._tcp.own.example. IN SRV 0 1 993 imap.example.com." in lines
    [vouched] = [line for line in lines if line.startswith("_ua-auto-config.")]
    assert 'TXT "v=UAAC1; a=sha256; d=' in vouched


def test_a_domain_that_is_not_ours(tmp_path: Path) -> None:
    write_first(tmp_path, Config())
    code, said = run(tmp_path, "records", "elsewhere.example")
    assert code == 1
    assert "not one of ours" in said
