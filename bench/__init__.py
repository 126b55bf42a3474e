"""The benchmark: what recording costs, measured side by side with what it is compared to.

Rules:
- Every figure comes from real processes, a real loopback socket and real files, on the machine it runs on.
- A ratio is taken within one round, its two halves one behind the other: absolutes drift, ratios hold.
- A run that lost a message has no figure: it fails.
"""
