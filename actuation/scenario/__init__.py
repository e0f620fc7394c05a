"""Scenarios: one YAML file says what happens after an event. `event` goes into the engine, `effect` comes out of it."""
