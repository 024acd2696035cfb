"""The diary of sign-ins: who came in, who did not, and why."""
