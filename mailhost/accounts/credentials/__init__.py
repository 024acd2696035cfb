"""What people sign in with: the account password, and app passwords."""
