"""Learners, encoders, tasks and the loop that trains them. Torch only: nothing here knows HTTP, Redis or pydantic."""
