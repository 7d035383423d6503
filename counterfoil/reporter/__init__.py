"""What the pytest plugin does once it is asked for: a test run becomes events in a spool."""
