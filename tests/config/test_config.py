"""mailhost.toml: what a first start writes is what a later start reads, and what is wrong is one sentence."""

from pathlib import Path

import msgspec
import pytest

from mailhost.config import FILE_NAME, BadConfig, Config, Limits, Ports, load, turn_demo_on, write_first
from mailhost.config.model import RELAXED


def refused(data: Path, text: str) -> str:
    (data / FILE_NAME).write_text(text)
    with pytest.raises(BadConfig) as caught:
        load(data)
    sentence = str(caught.value)
    assert sentence.startswith(str(data / FILE_NAME))
    return sentence


@pytest.mark.parametrize(
    "config",
    [
        Config(),
        Config(listen=("0.0.0.0", "::"), demo=False, ports=Ports(imap=1143), limits=Limits(write_seconds=5.5)),
        Config(
            host_name="mx.example.org", proxies=("10.0.0.0/8",), geoip='a "quoted" name', database="postgresql://x@y/z"
        ),
    ],
)
def test_what_is_written_is_what_is_read(tmp_path: Path, config: Config) -> None:
    write_first(tmp_path, config)
    assert load(tmp_path) == config


def test_every_setting_stands_in_the_file_with_a_comment(tmp_path: Path) -> None:
    write_first(tmp_path, Config())
    lines = (tmp_path / FILE_NAME).read_text().splitlines()
    for section in (Config(), Ports(), Limits()):
        for field in msgspec.structs.fields(section):
            if not isinstance(getattr(section, field.name), msgspec.Struct):
                [line] = [line for line in lines if line.removeprefix("# ").startswith(f"{field.name} = ")]
                assert "  # " in line


def test_uncommenting_a_line_sets_it(tmp_path: Path) -> None:
    write_first(tmp_path, Config())
    file = tmp_path / FILE_NAME
    file.write_text(file.read_text().replace("# imaps = 993 ", "imaps = 10993 "))
    assert load(tmp_path).ports == Ports(imaps=10993)


def test_a_demonstration_is_relaxed_but_for_what_the_operator_set(tmp_path: Path) -> None:
    write_first(tmp_path, Config())
    assert load(tmp_path).limits == Limits()
    turn_demo_on(tmp_path)
    assert load(tmp_path).limits == Limits(**RELAXED)
    with (tmp_path / FILE_NAME).open("a") as file:
        file.write("imap_sessions_per_account = 7\n")
    assert load(tmp_path).limits == Limits(**RELAXED | {"imap_sessions_per_account": 7})
    turn_demo_on(tmp_path)
    assert load(tmp_path).demo


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[limits]\nconections = 3\n", "limits.conections is not a setting; did you mean limits.connections?"),
        ("lisen = []\n", "lisen is not a setting; did you mean listen?"),
        ("[prots]\nimap = 1\n", "prots is not a setting; did you mean ports?"),
        ("[zzz]\n", "zzz is not a setting; there are host_name,"),
        ('[ports]\nimap = "x"\n', "ports.imap: Expected `int`, got `str` (IMAP, with STARTTLS)."),
        ("[ports]\nimap = 70000\n", "ports.imap: Expected `int` <= 65535 (IMAP, with STARTTLS)."),
        ("[limits]\nconnections = 0\n", "limits.connections: Expected `int` >= 1 (connections at a time, in all)."),
        ('log_level = "loud"\n', 'log_level: Invalid enum value \'loud\' ("debug", "info", '),
        ('proxies = ["somewhere"]\n', "proxies: 'somewhere' does not appear to be an IPv4 or IPv6 network."),
        ("listen = [1]\n", "listen[0]: Expected `str`, got `int` (addresses to listen on; "),
        ('host_name = "a b"\n', "host_name is no name such as mail.example.org."),
        ('listen = ["localhost"]\n', "listen: 'localhost' does not appear to be an IPv4 or IPv6 address."),
        ("listen = []\n", "listen names no address."),
        ("listen\n", "is not TOML: "),
        ("demo = true\nlimits = 3\n", "limits: Expected `object`, got `int` (a section, [limits])."),
    ],
)
def test_what_is_wrong_is_one_sentence_that_names_the_key(tmp_path: Path, text: str, words: str) -> None:
    assert words in refused(tmp_path, text)


def test_a_missing_file_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="start a server there with mailhost up --data"):
        load(tmp_path)
