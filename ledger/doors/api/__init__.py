"""JSON over HTTP, under /v1. Read ``guard`` (what gets in), ``access`` (who may), then the routes, a noun each."""
