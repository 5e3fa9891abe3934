"""What `oci_dns` and `oci_steering` share: credentials, the client, errors, zones. No provider kind of its own."""
