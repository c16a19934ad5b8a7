"""A cluster in containers of an engine with the Docker API."""
