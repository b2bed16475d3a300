"""What runs and what is found on this machine."""
