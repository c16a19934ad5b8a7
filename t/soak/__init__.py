"""An nginx under mixed load and random faults, for hours: `make soak-server`.

``run`` starts it, ``world`` has the server, what it talks to and its clients,
``faults`` what is done to them, ``judge`` decides what explains what, without
any input or output, and ``plot`` draws what was measured. docs/soak.md tells
what is judged, with the bounds and the reasons for them.
"""
