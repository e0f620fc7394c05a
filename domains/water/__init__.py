"""The digital water utility: network, balance, leaks. Science without I/O of our own rooms."""
