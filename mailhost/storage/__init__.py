"""Rows and blobs: SQLite or PostgreSQL, migrations, content-addressed bytes."""
