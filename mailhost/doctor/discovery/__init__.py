"""Automatic set-up, walked as real mail programs walk it: what each of them would conclude, and where they differ."""
