"""Who got sign-ins wrong lately, and has to wait: counted in the store, so that every process and machine knows."""
