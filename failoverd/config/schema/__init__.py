"""What the three kinds of file can say: a policy, the inventory of regions, the daemon's own configuration."""
