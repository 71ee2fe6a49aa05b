"""The quality rules that web corpora are made with, over a record's answers or its plain text as one document."""
