"""Deployers: one module for each kind of model.

Each has `create_endpoint`, which registers an application, deploys a model
and links them, and a function that deploys only.
"""
