"""The device worker: queues, batching, and the states held on the device. Knows nothing of HTTP and Redis."""
