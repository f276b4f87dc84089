"""The device worker: queues, batching, and the states cached on the device. Knows neither HTTP nor Redis."""
