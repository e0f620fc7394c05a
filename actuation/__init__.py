"""From an event to a device: what must react (`triggers`), who does what (`reactions`), what is due now (`decide`).

`decide` is a pure function of facts and the clock; `facts` reads the city state, `publish` speaks MQTT, `act` is the
loop of both. Dagster runs it; nothing here knows Dagster.
"""
