"""What is predicted: tasks, heads, losses, metrics and label normalisation."""
