"""Diagnosis from both ends of the wire: why mail does not arrive in a program, and the next step."""
