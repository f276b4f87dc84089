"""Data of the user's own: texts, photos or rows of a table with labels, from files of usual formats."""
