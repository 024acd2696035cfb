"""The SMTP doors: MX, LMTP and submission."""
