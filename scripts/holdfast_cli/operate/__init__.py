"""What operators ask of a deployment, and do to it."""
