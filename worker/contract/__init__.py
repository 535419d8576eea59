"""The shared vocabulary: a leaf that imports nothing of ours, so that every other module may speak it.

Ids, requests, results, templates, users and the states a message goes through; frozen data and pure functions only.
"""
