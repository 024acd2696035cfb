"""What people sign in with besides their account password."""
