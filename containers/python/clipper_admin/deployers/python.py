"""Deploy plain Python functions with all that they close over."""

from .frame import deploying, endpoint_of


@deploying("closure", "python-closure-container")
def deploy_python_closure(path: str) -> None:
    """Deploy a function with everything that it closes over.

    Args:
        clipper_conn: connection to the cluster.
        name: name of the model: lower case letters, digits and `-`.
        version: any object; its `str` has the form of a name.
        input_type: bytes, integers, floats, doubles or strings.
        func: called with a batch, returns a list with one output for each
            input; see `clipper_container.serve`.
        base_image: image that the model's image is built on.
        labels: free texts without comma and colon.
        registry: registry that the image is pushed to; None for none.
        num_replicas: number of containers.
        batch_size: maximum batch size; -1 lets the server choose.
        pkgs_to_install: pip's requirement strings.
        sample_input: one input that each container passes to the function
            before it takes queries. When the function fails on it, the
            deployment fails.
        modules: modules, or their names, that are pickled with the function
            because the container does not have them. Modules outside of
            site-packages always are, also those that the function imports
            when it runs.
        strings: what the function gets for strings: ``"str"`` (None), or
            ``"bytes"`` as in the original Clipper.
        options: env, cpus, memory, gpus and tuning of
            `ClipperConnection.deploy_model`.

    Raises:
        ClipperException: the function cannot be called with a batch or
            cannot be pickled, an argument is not valid, or a container
            failed (with its last lines).
    """


create_endpoint = endpoint_of(deploy_python_closure)
