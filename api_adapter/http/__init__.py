"""The HTTP face of intake and inquiries."""
