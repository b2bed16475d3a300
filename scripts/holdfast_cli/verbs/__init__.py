"""The verbs as the command line declares them: options, help and groups. What they do is in the groups below."""
