"""Kubernetes, by its API alone: a Lease (coordination.k8s.io/v1) for who leads, ConfigMaps for what members share."""
