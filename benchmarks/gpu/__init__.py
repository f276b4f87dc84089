"""The service on a GPU, checked and measured by one command: make test-gpu."""
