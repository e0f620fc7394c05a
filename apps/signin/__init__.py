"""A sign-in for the demo: a small OpenID Connect provider on this machine, with three people and no passwords.

A city has a provider of its own (GORODOK_OIDC_ISSUER); with one set, this one refuses to start.
"""
