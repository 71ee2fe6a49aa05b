"""A person in the loop: findings out as Label Studio tasks, verdicts back as precision and as an allow-list."""
