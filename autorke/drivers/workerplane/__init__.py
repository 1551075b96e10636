"""The worker engine: adds exactly the named workers to an rke cluster, touching no other machine.

`spec` computes containers from rkeConfig, `clone` checks them against a healthy worker, `plan` freezes what will be
done, `join` does it. Values in, values out.
"""
