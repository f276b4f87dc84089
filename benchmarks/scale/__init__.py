"""What a request costs, a simulation of many replicas, and how many a load needs. docs/scaling.md is its page."""
