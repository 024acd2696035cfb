"""The doors: IMAP, POP3, SMTP. They translate and decide nothing."""
