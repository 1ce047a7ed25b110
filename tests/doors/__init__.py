"""The doors, as those who knock find them."""
