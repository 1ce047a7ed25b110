"""The pages: as whoever uses them sees them, with and without script."""
