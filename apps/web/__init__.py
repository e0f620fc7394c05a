"""Public HTTP: what residents' and workers' phones open. Bound to loopback; a proxy with TLS stands before it."""
