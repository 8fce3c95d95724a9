"""What each model costs on this machine and what it is worth, measured on the same file through the same loop."""
