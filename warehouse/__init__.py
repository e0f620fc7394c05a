"""The lake: attaching it, loading landed segments, maintenance, time travel, export, backup."""
