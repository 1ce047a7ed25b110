"""What the contract test stands on: the service on a port, a small scheme in it, and what every answer must be."""
