"""What people install in their own environments: talk to a server, keep and check evidence."""
