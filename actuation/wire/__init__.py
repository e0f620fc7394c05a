"""The bytes between the reflex process and devices: signed commands and time out, answers under a device's key in.

docs/devices-protocol.md is the same in words; device/ is the other side, written apart on purpose.
"""
