"""What is in a dataset, with intervals: personal data, who is mentioned, languages, from a sample that is the same everywhere."""
