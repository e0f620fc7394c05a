"""From frames to `camera_event` messages: sources, a detector, evidence, the run. Needs the extra `vision`."""
