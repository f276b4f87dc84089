"""What people serve few-shot models with otherwise, each written as its users would, and fairly."""
