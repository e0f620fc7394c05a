"""The index "IQ городов": its methodology as data, and its arithmetic as far as it is known."""
