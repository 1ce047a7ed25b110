"""Sessions and attendance over HTTP: planned, booked, checked in and out, and closed where somebody forgot."""
