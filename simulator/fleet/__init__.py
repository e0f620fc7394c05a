"""Thousands of devices, each with a TCP connection, a client id and a key of its own, on one epoll loop a process.

paho would need a thread or a select() each, and select() dies above 1,024 descriptors. What a device does is its
`Behaviour`: device.Controller in all our runs.
"""
