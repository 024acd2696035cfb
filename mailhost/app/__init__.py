"""The server put together: what it works with, which doors it opens, and how it ends. Nothing here decides anything."""

from mailhost.app.server import Server
from mailhost.app.services import DataFolderBusy, Services, data_folder, open_services

__all__ = ["DataFolderBusy", "Server", "Services", "data_folder", "open_services"]
