"""Deploying plain Python functions, over whatever they close over."""

from .frame import deploying, endpoint_of


@deploying("closure", "python-closure-container")
def deploy_python_closure(path: str) -> None:
    """Deploy a function with everything that it closes over.

    Args:
        clipper_conn: a connection.
        name: of the model: lower case letters, digits and `-`.
        version: any object; its `str` has the form of a name.
        input_type: bytes, integers, floats, doubles or strings.
        func: called with a batch, returns a list with one output for each
            input; see `clipper_container.serve`.
        base_image: image that the model's is built from.
        labels: free texts.
        registry: where the image is pushed to.
        num_replicas: how many containers.
        batch_size: most inputs in a batch; -1 lets the server choose.
        pkgs_to_install: pip's requirement strings.
        sample_input: one input that each container runs through the
            function before it takes queries. When the function fails on it,
            so does the deployment.
        modules: modules to carry along, see `modules` in
            `deployer_utils.model_directory`.
        options: env, cpus, memory, gpus and tuning of
            `ClipperConnection.deploy_model`.

    Raises:
        ClipperException: the function cannot be pickled, something is not
            valid, or a container failed (with its last lines).
    """


create_endpoint = endpoint_of(deploy_python_closure)
