"""What clients can ask for, without HTTP, Redis or torch: one file for each group of use cases, and what they share."""
