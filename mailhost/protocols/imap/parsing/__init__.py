"""The grammar of IMAP commands, one file per chapter; `table` says which parser reads which command."""
