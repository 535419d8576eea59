"""Calling merchants back: what they are told, where, how often it is tried, and when it is given up."""
