"""`holdfast verify`: the acceptance suite. It checks properties of a deployment, and lists what it did not check, each with the reason."""
