"""What truly happens in the town, as pure functions of seed and time: fleet, water, cameras, complaints, alerts.

A source gives the messages of any window of time, so that the past at start, a lost connection and live traffic
are one thing: `between(start, end)` with start < event time <= end.
"""
