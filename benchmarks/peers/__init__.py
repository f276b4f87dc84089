"""Other ways to serve few-shot models, each written as its users would write it."""
