"""The reference client of a controller (door, lamp, siren, display): verifies, acts, answers. Imports no other room.

Written to be read in an evening and ported to C; docs/devices-protocol.md is the same protocol in words.
"""
