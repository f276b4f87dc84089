"""Messages between the API processes and the device worker of one replica."""
