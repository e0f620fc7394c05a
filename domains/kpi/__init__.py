"""The city's KPIs: a catalogue as data, and what is made from it."""
