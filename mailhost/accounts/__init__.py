"""People and their credentials: accounts in `sql`, what they sign in with in `credentials`, the diary in `audit`."""
