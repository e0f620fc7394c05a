"""Brokers: how to reach one, how to run the embedded one, and what one really holds."""
