"""Where addresses are, by a file in MaxMind's format that the operator brings, so that nobody outside is asked."""

import math
import os
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import maxminddb

from mailhost import observe

log = observe.logger()

_EARTH_KM: Final = 6_371.0
_REMEMBERED: Final = 1_024
_DAMAGE: Final = (maxminddb.InvalidDatabaseError, ValueError, TypeError, LookupError, struct.error, RecursionError)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an address is: names by language tag, latitude and longitude where they are known, kilometres of doubt."""

    city: Mapping[str, str]
    country: Mapping[str, str]
    degrees: tuple[float, float] | None = None
    radius: float = 0.0

    def names(self, language: str) -> tuple[str, str]:
        """City and country in a language, else in English; what is not known is empty."""
        return _named(self.city, language), _named(self.country, language)


def _named(names: Mapping[str, str], language: str) -> str:
    return names.get(language) or names.get("en", "")


def kilometres(one: Spot, other: Spot) -> float:
    """The least that two spots can be apart along the earth; 0 where it is not known."""
    if one.degrees is None or other.degrees is None:
        return 0.0
    south, west, north, east = map(math.radians, (*one.degrees, *other.degrees))
    half = math.sin((north - south) / 2) ** 2 + math.cos(south) * math.cos(north) * math.sin((east - west) / 2) ** 2
    apart = 2 * _EARTH_KM * math.asin(math.sqrt(min(1.0, max(0.0, half))))  # the haversine formula
    return max(0.0, apart - one.radius - other.radius)


class Atlas:
    """Finds spots in the file; without one, or while it is not whole, nothing is known. May be asked by any thread.

    The file is read piece by piece rather than mapped: whoever overwrites it in place would end the process else.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._file: maxminddb.Reader | None = None
        self._read = lru_cache(_REMEMBERED)(self._look_up)

    def spot_of(self, address: str) -> Spot | None:
        """Where an address or a network is. A file that was replaced is read anew."""
        if self._path is None:
            return None
        with self._lock:
            self._follow(self._path)
            return self._read(address.partition("/")[0].partition("%")[0])

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _follow(self, path: Path) -> None:
        try:
            found = os.stat(path)
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        except OSError:
            stamp = (0, 0, 0)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        self.close()
        self._read.cache_clear()
        try:
            self._file = maxminddb.open_database(path, maxminddb.MODE_FILE)
        except (OSError, *_DAMAGE) as error:
            log.warning("geoip.unreadable", path=str(path), reason=str(error))

    def _look_up(self, address: str) -> Spot | None:
        if self._file is None:
            return None
        try:
            return _spot(self._file.get(address))
        except _DAMAGE:  # or no address
            return None


def _spot(record: object) -> Spot | None:
    if not isinstance(record, dict):
        return None
    country = _names(record.get("country")) or _names(record.get("registered_country"))
    location = record.get("location")
    if not isinstance(location, dict):
        return Spot(_names(record.get("city")), country)
    latitude, longitude, radius = (_number(location.get(key)) for key in ("latitude", "longitude", "accuracy_radius"))
    degrees = None if latitude is None or longitude is None else (latitude, longitude)
    return Spot(_names(record.get("city")), country, degrees, radius or 0.0)


def _number(value: object) -> float | None:
    """Degrees or kilometres, unless the file is damaged."""
    return float(value) if isinstance(value, int | float) and -180 <= value <= _EARTH_KM else None


def _names(part: object) -> dict[str, str]:
    names = part.get("names") if isinstance(part, dict) else None
    return {str(tag): str(name) for tag, name in names.items()} if isinstance(names, dict) else {}


NOWHERE: Final = Atlas()
"""An atlas without a file."""
