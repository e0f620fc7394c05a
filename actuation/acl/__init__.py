"""Who may publish and subscribe what, made from the city's device list for mosquitto's acl_file and password_file."""
