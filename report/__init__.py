"""What a run tells people: the result and its schema, live progress, the summary, the picture, the bounds."""
