"""A file of places as operators have one: read, replaced, damaged."""

import os
from pathlib import Path

import maxminddb
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from mailhost.network.atlas import NOWHERE, Atlas, Spot, kilometres
from tests.network.places import BERLIN, SYDNEY, write_places

PLACES = {"192.0.2.0/24": BERLIN, "2001:db8::/48": SYDNEY, "198.51.100.0/25": {"country": {"names": {"en": "Chile"}}}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_places(tmp_path / "places.mmdb", PLACES)
    return tmp_path / "places.mmdb"


def test_the_file_is_one_that_maxmind_s_own_reader_reads(file: Path) -> None:
    with maxminddb.open_database(file, maxminddb.MODE_MMAP_EXT) as reader:  # C, where it is installed so
        assert reader.get("192.0.2.7") == BERLIN
        assert reader.get("192.0.3.7") is None


def test_addresses_and_networks_have_their_spot(file: Path) -> None:
    atlas = Atlas(file)
    berlin = atlas.spot_of("192.0.2.7")
    assert berlin is not None
    assert berlin.names("zh-CN") == ("柏林", "德国")
    assert berlin.names("tlh") == ("Berlin", "Germany")
    assert atlas.spot_of("192.0.2.0/24") == berlin
    sydney = atlas.spot_of("2001:db8::1%eth0")
    assert sydney is not None
    assert kilometres(berlin, sydney) == pytest.approx(16_000, abs=100)
    assert atlas.spot_of("198.51.100.9") == Spot({}, {"en": "Chile"})
    for unknown in ("198.51.100.200", "203.0.113.9", "unix", ""):
        assert atlas.spot_of(unknown) is None
    atlas.close()
    assert NOWHERE.spot_of("192.0.2.7") is None


def test_a_file_that_is_replaced_is_read_anew_and_a_damaged_one_is_told_once(file: Path) -> None:
    atlas = Atlas(file)
    assert atlas.spot_of("203.0.113.9") is None
    write_places(file.with_suffix(".new"), {"203.0.113.0/24": SYDNEY})
    os.replace(file.with_suffix(".new"), file)
    assert atlas.spot_of("203.0.113.9") is not None
    with structlog.testing.capture_logs() as told:
        file.write_bytes(b"not at all")
        assert [atlas.spot_of("203.0.113.9") for _ in range(3)] == [None] * 3
        file.unlink()
        assert [atlas.spot_of("203.0.113.9") for _ in range(3)] == [None] * 3
    assert [event["event"] for event in told] == ["geoip.unreadable"] * 2
    write_places(file, PLACES)
    assert atlas.spot_of("192.0.2.7") is not None
    atlas.close()


@given(st.data())
def test_no_damage_does_more_than_hide_places(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    file = tmp_path_factory.mktemp("atlas") / "places.mmdb"
    write_places(file, PLACES)
    octets = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(bytes(octets[: data.draw(st.integers(0, len(octets)))]))
    atlas = Atlas(file)
    for address in ("192.0.2.7", "2001:db8::1", "198.51.100.9"):
        spot = atlas.spot_of(address)
        assert spot is None or all(isinstance(name, str) for name in spot.names("en"))
    atlas.close()
