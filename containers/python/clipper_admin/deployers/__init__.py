"""Deployers: one module for each kind of model.

Each module has a function that deploys a model, and `create_endpoint`, which
registers an application, deploys a model and links them.
"""
