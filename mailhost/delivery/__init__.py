"""How mail is received, routed, filed and handed on."""
