"""Sample files to start from: `templates/*.yaml`."""
