"""Settings, console, commands and tools: what every other group uses. Nothing here knows of a deployment."""
