"""The full report of one run of a scenario: gathered from the lake, drawn offline, written as HTML and PDF."""
