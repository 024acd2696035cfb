"""The one file of settings: what can be set, how it is read, and what a first start writes down."""

from mailhost.config.file import FILE_NAME, BadConfig, load, turn_demo_on, write_first
from mailhost.config.model import Config, Limits, LogLevel, Ports, Smarthost, SmarthostTls, Tls

__all__ = [
    "FILE_NAME",
    "BadConfig",
    "Config",
    "Limits",
    "LogLevel",
    "Ports",
    "Smarthost",
    "SmarthostTls",
    "Tls",
    "load",
    "turn_demo_on",
    "write_first",
]
