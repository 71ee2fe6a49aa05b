"""What is judged: one module or folder a filter, over records and their text segments.

Nothing in this package opens a file, knows a run, or asks which schema a row came from.
"""
