"""What answers a question: the protocol, the registry, and the heads."""
