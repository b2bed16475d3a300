"""Files that are written from code or from a deployment's state; tests say when they are not current."""
