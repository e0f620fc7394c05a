"""Water: network, meters, balance, leaks; pure functions without I/O."""
